"""Position and velocity over time, from local fits that neither lead nor lag. NumPy.

A parabola in time is fitted by least squares to each window of nine frames and read at the window's
middle. At an even frame rate this is the filter of Savitzky and Golay, window 9, order 2. It looks
as far ahead as it looks back, so it has no phase; it is exact for uniformly accelerated motion.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

WINDOW = 9  # frames
HALF = WINDOW // 2


class Motion(NamedTuple):
    """The fits, one for each frame but the first and last four: u = t - 8.

    Attributes:
        times: Of the windows' middles [s].
        position: There [px].
        velocity: There [px/s].
        bend: Half of the acceleration there [px/s^2].
        weight: Of the middle frame in its own fitted position, from 0 to 1. Independent errors with
            standard deviation s differ from the fit by s * sqrt(1 - weight).
    """

    times: Float[np.ndarray, " u"]
    position: Float[np.ndarray, "u n d"]
    velocity: Float[np.ndarray, "u n d"]
    bend: Float[np.ndarray, "u n d"]
    weight: Float[np.ndarray, " u"]


def fit_motion(times: Float[np.ndarray, " t"], points: Float[np.ndarray, "t n d"]) -> Motion:
    """Fits a window around each frame; windows do not cross the ends.

    Args:
        times: Increasing [s].
        points: Of consecutive frames [px].

    Raises:
        ValueError: The times do not increase.
    """
    if (np.diff(times) <= 0).any():
        raise ValueError("expected times that increase")
    count = max(0, len(times) - WINDOW + 1)
    middle = times[HALF : HALF + count].astype(np.float64)
    offsets = np.stack([times[k : k + count] for k in range(WINDOW)], axis=-1) - middle[:, None]
    solver = np.linalg.pinv(offsets[..., None] ** np.arange(3))  # u 3 9
    fits = np.zeros((3, count, *points.shape[1:]))
    for k in range(WINDOW):
        fits += solver[:, :, k].T[..., None, None] * points[k : k + count]
    return Motion(middle, fits[0], fits[1], fits[2], solver[:, 0, HALF])


def pace(motion: Motion, length: float) -> Float[np.ndarray, " u"]:
    """How fast a face moves in each frame: root mean square over its landmarks [lengths/s].

    Args:
        motion: Of its landmarks.
        length: Such as the distance between the eyes [px].
    """
    return np.asarray(np.sqrt((motion.velocity**2).sum(-1).mean(-1)) / length)


def at(motion: Motion, times: Float[np.ndarray, " k"]) -> Float[np.ndarray, "k n d"]:
    """Positions at any times from the first fit to the last [px].

    Straight lines between the fitted positions cut the corners of a bent path: the fits' bend says
    by how much.

    Raises:
        ValueError: There are fewer than two fits.
    """
    if len(motion.times) < 2:
        raise ValueError(f"expected two fits or more, found {len(motion.times)}")
    after = np.searchsorted(motion.times, times).clip(1, len(motion.times) - 1)
    since, until = times - motion.times[after - 1], motion.times[after] - times
    share = (since / (since + until))[:, None, None]

    def between(values: Float[np.ndarray, "u n d"]) -> Float[np.ndarray, "k n d"]:
        return np.asarray(values[after - 1] + share * (values[after] - values[after - 1]))

    cut = (since * until)[:, None, None] * between(motion.bend)
    return np.asarray(between(motion.position) - cut)
