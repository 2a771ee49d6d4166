"""Blinks: how much of them smoothing leaves. NumPy."""

import numpy as np
from jaxtyping import Float

_CLOSED = 0.5  # of the median opening: an eye that is less open blinks
_LATE = 8  # frames in which smoothed landmarks may still reach their smallest opening


def blinks_kept(
    smoothed: Float[np.ndarray, " t"], raw: Float[np.ndarray, " t"]
) -> Float[np.ndarray, " b"]:
    """For each blink of an eye, how much of its depth is left [%].

    The depth of a blink is how far the smallest opening lies below the median of the unsmoothed
    ones. 100: the smoothed eye closes as far as the unsmoothed one does; 0: it stays open.

    Args:
        smoothed: Opening of an eye in consecutive frames, in any unit.
        raw: The same before smoothing.
    """
    if not len(raw):
        return np.zeros(0)
    rest = float(np.median(raw))
    closed = np.concatenate([[False], raw < _CLOSED * rest, [False]])
    starts, ends = np.flatnonzero(closed[1:] != closed[:-1]).reshape(-1, 2).T
    until = np.minimum(ends + _LATE, np.append(starts[1:], len(raw)))
    kept = [
        (rest - smoothed[start:late].min()) / (rest - raw[start:end].min())
        for start, end, late in zip(starts, ends, until, strict=True)
    ]
    return 100 * np.array(kept, dtype=np.float64)
