"""The One-Euro filter: less jitter in landmarks that rest, little lag in those that move.

Each coordinate goes through an exponential filter whose cutoff frequency grows with its speed, as
in Casiez, Roussel, Vogel: "1 € Filter" (CHI 2012). Speed is measured in sizes of the face per
second, so a face is smoothed alike near and far. With the preset `mediapipe`, the arithmetic and
the numbers are those of MediaPipe's Face Landmarker, which filters one face only.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from jaxtyping import Float64

from amesh.errors import UserError
from amesh.pipeline.arguments import finite

# A face that was not seen for longer than this starts afresh [s].
_GAP = 0.5


@dataclass(frozen=True)
class OneEuro:
    """Settings of the filter.

    Attributes:
        min_cutoff: Cutoff frequency at rest [Hz]. Lower values remove more jitter.
        beta: Growth of the cutoff frequency with speed [Hz per face size per second]. Higher values
            reduce lag.
        derivative_cutoff: Cutoff frequency of the speed's own filter [Hz].

    Raises:
        UserError: A number is out of range.

    Examples:
        >>> OneEuro(min_cutoff=0.5, beta=100)
        OneEuro(min_cutoff=0.5, beta=100, derivative_cutoff=1.0)
    """

    min_cutoff: float
    beta: float
    derivative_cutoff: float = 1.0

    def __post_init__(self) -> None:
        """Checks the numbers."""
        for name in ("min_cutoff", "derivative_cutoff"):
            value = getattr(self, name)
            if not finite(value) > 0:  # false for NaN
                raise UserError(f"OneEuro: {name} is {value!r}; expected a frequency above 0 [Hz]")
        if not finite(self.beta) >= 0:
            raise UserError(f"OneEuro: beta is {self.beta!r}; expected 0 or more")


PRESETS: Mapping[str, OneEuro | None] = MappingProxyType(
    {
        "mediapipe": OneEuro(0.05, 80.0),
        "light": OneEuro(1.0, 200.0),
        "strong": OneEuro(0.05, 30.0),
        "off": None,
    }
)


def as_one_euro(value: object) -> OneEuro | None:
    """Settings from what callers pass; None turns smoothing off.

    Args:
        value: Settings, the name of a preset, or None.

    Raises:
        UserError: It is none of these.
    """
    if value is None or isinstance(value, OneEuro):
        return value
    if isinstance(value, str) and value in PRESETS:
        return PRESETS[value]
    raise UserError(
        f"no smoothing {value!r}; choose one of {', '.join(PRESETS)}, or give an amesh.OneEuro"
    )


class Smoother:
    """The filter with the state of one face."""

    def __init__(self, settings: OneEuro) -> None:
        """Starts without a state: the first landmarks come back as they are."""
        self.settings = settings
        self._time = -math.inf
        self._raw = self._smooth = self._speed = np.zeros((0, 3))

    def __call__(
        self, landmarks: Float64[np.ndarray, "n d"], time: float
    ) -> Float64[np.ndarray, "n d"]:
        """Filters the landmarks of the next frame.

        A time that does not grow repeats the last answer, as the speed is unknown. A step of more
        than half a second in either direction starts afresh.

        Args:
            landmarks: Not NaN [px].
            time: Of the frame [s].
        """
        step = time - self._time
        if not abs(step) <= _GAP:
            self._time = time
            self._raw = self._smooth = landmarks
            self._speed = np.zeros_like(landmarks)
            return landmarks
        if step <= 0:
            return self._smooth
        turns = 2 * math.pi * step  # a weight is w / (1 + w) with w = turns * cutoff
        rows = landmarks.T[:2].copy()  # 2 n: four times faster than along the other axis
        size = np.ptp(rows, axis=1).mean()  # of the face [px]
        if size > 0:
            speed = (landmarks - self._raw) / (size * step)
            slow = turns * self.settings.derivative_cutoff
            self._speed = self._speed + (speed - self._speed) * (slow / (1 + slow))
        fast = turns * (self.settings.min_cutoff + self.settings.beta * np.abs(self._speed))
        self._smooth = self._smooth + (landmarks - self._smooth) * (fast / (1 + fast))
        self._time, self._raw = time, landmarks
        return self._smooth
