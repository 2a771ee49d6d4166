"""A face over time, as one program followed it. NumPy."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int


class Track(NamedTuple):
    """The frames in which a program saw one face; frames in which it did not are gaps.

    Attributes:
        frames: Numbers of the frames, increasing.
        times: Their times, increasing [s].
        landmarks: As the program gives them, smoothed or not [px].
        raw: The same before smoothing; None if the program does not give them.
    """

    frames: Int[np.ndarray, " t"]
    times: Float[np.ndarray, " t"]
    landmarks: Float32[np.ndarray, "t n 3"]
    raw: Float32[np.ndarray, "t n 3"] | None = None

    @property
    def unsmoothed(self) -> Float32[np.ndarray, "t n 3"]:
        """The landmarks before smoothing or, if they are unknown, as the program gives them."""
        return self.landmarks if self.raw is None else self.raw


def runs(track: Track) -> list[Track]:
    """Splits a track at its gaps."""
    ends = [*(np.flatnonzero(np.diff(track.frames) > 1) + 1).tolist(), len(track.frames)]
    found = []
    for start, end in zip([0, *ends], ends, strict=False):
        part = slice(start, end)
        raw = None if track.raw is None else track.raw[part]
        if end > start:
            found.append(Track(track.frames[part], track.times[part], track.landmarks[part], raw))
    return found
