"""Percentile bootstrap intervals of means and of changes between means; seeded.

Faces of one person are not independent. If `groups` gives the person of each value, persons are
resampled instead of faces, which widens the interval as it should.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from amesh.metrics.confidence import LEVEL, RESAMPLES

# Random numbers drawn at a time; limits memory.
_CHUNK = 4_000_000


class Interval(NamedTuple):
    """An estimate and its confidence interval; NaN where there are too few data."""

    value: float
    low: float
    high: float


def mean_interval(
    values: Float[np.ndarray, " n"],
    groups: Int[np.ndarray, " n"] | None = None,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Interval:
    """Returns the mean of the values and its interval.

    Args:
        values: One value per face.
        groups: Person (or other unit to resample) of each value; by default, each value is a
            unit of its own.
        resamples: Number of bootstrap resamples.
        level: Share of the resampled means inside the interval.
        seed: Random seed; the same seed draws the same units.

    Raises:
        ValueError: A value is NaN.
    """
    sums = _sums(groups, np.ones_like(values), values)
    count, total = _draw(sums, resamples, seed)
    return _interval(sums[1].sum() / max(sums[0].sum(), 1e-300), total / count, len(sums[0]), level)


def paired_change(
    new: Float[np.ndarray, " n"],
    old: Float[np.ndarray, " n"],
    groups: Int[np.ndarray, " n"] | None = None,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Interval:
    """Returns mean(new) / mean(old) - 1 [%], measured on the same faces; negative is better.

    Raises:
        ValueError: A value is NaN.
    """
    sums = _sums(groups, old, new)
    before, after = _draw(sums, resamples, seed)
    if not len(old) or old.sum() == 0:
        return Interval(float("nan"), float("nan"), float("nan"))
    change = 100 * (sums[1].sum() / sums[0].sum() - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn = 100 * (after / before - 1)
    return _interval(change, drawn, len(sums[0]), level)


def _sums(
    groups: Int[np.ndarray, " n"] | None, *columns: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "c g"]:
    """Sums each column over each group."""
    table = np.stack(columns).astype(np.float64)
    if np.isnan(table).any():
        raise ValueError("a value is not a number: leave missed faces out before computing a mean")
    if groups is None:
        return table
    names, index = np.unique(groups, return_inverse=True)
    sums = [np.bincount(index, weights=row, minlength=len(names)) for row in table]
    return np.stack(sums).astype(np.float64)  # without values, bincount returns integers


def _draw(
    sums: Float[np.ndarray, "c g"], resamples: int, seed: int | list[int]
) -> Float[np.ndarray, "c resamples"]:
    """Resamples the groups with replacement and returns the columns' sums of each resample."""
    units = sums.shape[1]
    if units < 2:  # one unit carries no information about the spread between units
        return np.full((len(sums), resamples), np.nan)
    generator = np.random.default_rng(seed)
    step = max(_CHUNK // units, 1)
    parts = []
    for start in range(0, resamples, step):
        chosen = generator.integers(units, size=(min(step, resamples - start), units))
        parts.append(sums[:, chosen].sum(-1))  # c step units -> c step
    return np.concatenate(parts, axis=1)


def _interval(
    value: float, drawn: Float[np.ndarray, " resamples"], units: int, level: float
) -> Interval:
    if units < 2:
        return Interval(float(value) if units else float("nan"), float("nan"), float("nan"))
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(value), float(low), float(high))
