"""What every source of video hands out: frames with an index and a time."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from fractions import Fraction
from types import TracebackType
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

# Time stamps that go back farther than this are a restart of the source [s].
_RESTART = 1


class VideoFrame(NamedTuple):
    """A frame of a video.

    Attributes:
        index: Its number in the source, from 0; a live source leaves out those it skipped.
        time: When it is shown, from the first frame [s]; never less than the frame before.
        image: Its pixels, upright, RGB.
    """

    index: int  # type: ignore[assignment]  # tuples have a method of this name
    time: float
    image: UInt8[np.ndarray, "h w 3"]


class Source(ABC):
    """The frames of a file, an address or a camera, once, in the order in which they are shown.

    `amesh.pipeline.video.open_source` opens one.

    Attributes:
        name: As the user gave it.
        frames: How many frames it states to have, or None.
        rate: The mean rate that it states [frames/s], or None.
        live: Whether it goes on by itself, at its own pace.
        skipped: Frames of a live source that came while the consumer was busy.
        problem: What went wrong after the first frame, in one line; empty if nothing did. The
            frames until then are good.
    """

    def __init__(
        self,
        name: str,
        frames: int | None = None,
        rate: float | None = None,
        live: bool = False,
    ) -> None:
        """Takes what the source states about itself."""
        self.name, self.frames, self.rate, self.live = name, frames, rate, live
        self.skipped = 0
        self.problem = ""

    @abstractmethod
    def __iter__(self) -> Iterator[VideoFrame]:
        """Yields the frames.

        Raises:
            UserError: There is no frame at all.
        """

    @abstractmethod
    def close(self) -> None:
        """Releases the file or device."""

    def __enter__(self) -> "Source":
        """Returns itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the source."""
        self.close()


class Clock:
    """Turns the time stamps of frames into times from the first frame that never decrease.

    A stamp that goes back a little repeats the time of the frame before. One that goes back by more
    than a second is a restart: time goes on from the frame before. A frame without a stamp comes
    one period after the frame before.
    """

    def __init__(self, rate: Fraction | None) -> None:
        """Starts at the first stamp.

        Args:
            rate: Of the frames [1/s], for those without a stamp.
        """
        self._period = 1 / rate if rate else Fraction(0)
        self._start: Fraction | None = None
        self._last = Fraction(0)

    def __call__(self, stamp: Fraction | None) -> float:
        """The time of the next frame [s]."""
        if self._start is None:
            self._start = stamp or Fraction(0)
        elif stamp is None:
            self._last += self._period
        elif stamp - self._start < self._last - _RESTART:
            self._start = stamp - self._last
        else:
            self._last = max(self._last, stamp - self._start)
        return float(self._last)
