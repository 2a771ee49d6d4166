"""A face over time, as one program followed it. NumPy."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Int


class Track(NamedTuple):
    """The frames in which a program saw one face; frames in which it did not are gaps.

    Attributes:
        frames: Numbers of the frames, increasing.
        times: Their times, never decreasing [s].
        landmarks: As the program gives them, smoothed or not [px].
        raw: The same before smoothing; NaN where the program does not give them.
    """

    frames: Int[np.ndarray, " t"]
    times: Float[np.ndarray, " t"]
    landmarks: Float32[np.ndarray, "t n 3"]
    raw: Float32[np.ndarray, "t n 3"]


def runs(track: Track) -> list[Track]:
    """Splits a track at its gaps: parts of consecutive frames."""
    return _split(track, np.diff(track.frames) > 1)


def timed_runs(track: Track) -> list[Track]:
    """The same, split also where time stands still, so that speed is defined within each part."""
    return _split(track, (np.diff(track.frames) > 1) | (np.diff(track.times) <= 0))


def _split(track: Track, after: Bool[np.ndarray, " gaps"]) -> list[Track]:
    ends = [*(np.flatnonzero(after) + 1).tolist(), len(track.frames)]
    parts = [slice(*span) for span in zip([0, *ends], ends, strict=False)]
    return [
        Track(track.frames[part], track.times[part], track.landmarks[part], track.raw[part])
        for part in parts
        if part.stop > part.start
    ]
