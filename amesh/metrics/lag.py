"""Lag: how far smoothed landmarks are behind. NumPy.

The lag is the delay L for which the unsmoothed landmarks at t - L come closest to the smoothed ones
at t, by least squares over all landmarks of all frames that count. The unsmoothed ones are read
from their fit over time (`motion`), which has no lag and hardly any noise.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from amesh.metrics.motion import Motion, at

EARLIEST, LATEST = -2.0, 8.0  # the lags that are tried [frames]
_STEPS = (0.5, 0.05, 0.005)  # of the search, from coarse to fine [frames]


class Followed(NamedTuple):
    """Smoothed landmarks of consecutive frames beside the fit of the unsmoothed ones.

    Attributes:
        times: Of the frames [s].
        points: Smoothed landmarks [px].
        motion: Fit of the unsmoothed landmarks.
        counted: The frames to use; of these, only those whose delayed times have a fit count.
        length: Divides errors, so that small and large faces weigh alike [px].
    """

    times: Float[np.ndarray, " t"]
    points: Float[np.ndarray, "t n d"]
    motion: Motion
    counted: Bool[np.ndarray, " t"]
    length: float


def lag(runs: Sequence[Followed], interval: float) -> float:
    """The lag [s], from -2 to 8 frames; NaN if no frame counts.

    Args:
        runs: What counts.
        interval: Time from one frame to the next [s].
    """
    usable = [part for run in runs if len((part := _usable(run, interval)).times)]
    if not usable:
        return float("nan")

    def error(frames: float) -> float:
        return sum(_error(run, frames * interval) for run in usable)

    low, high = EARLIEST, LATEST
    for step in _STEPS:
        best = float(min(np.arange(low, high + step / 2, step), key=error))
        low, high = max(best - step, EARLIEST), min(best + step, LATEST)
    return best * interval


def _usable(run: Followed, interval: float) -> Followed:
    if len(run.motion.times) < 2:
        return run._replace(times=run.times[:0])
    first, last = run.motion.times[[0, -1]]
    within = (run.times - LATEST * interval >= first) & (run.times - EARLIEST * interval <= last)
    counted = run.counted & within
    return run._replace(times=run.times[counted], points=run.points[counted])


def _error(run: Followed, delay: float) -> float:
    apart = run.points - at(run.motion, run.times - delay)
    return float((apart**2).sum()) / run.length**2
