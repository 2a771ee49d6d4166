"""Percentile bootstrap intervals of means and of their changes. NumPy, seeded, no I/O.

Faces of one person are not independent. Where `groups` names the person of each value, whole
persons are drawn, and the interval is as wide as it has to be.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from amesh.metrics.confidence import LEVEL, RESAMPLES

# Numbers drawn at a time: bounds the memory that many resamples of many values take.
_CHUNK = 4_000_000


class Interval(NamedTuple):
    """An estimate and its interval; not-a-number where there is nothing to tell it from."""

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
    """The mean of the values.

    Args:
        values: One for each face.
        groups: The person (or other unit to draw) of each value; each value its own by default.
        resamples: How many times to draw.
        level: Share of the drawn means inside the interval.
        seed: Of the random numbers; the same seed draws the same units.
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
    """mean(new) / mean(old) - 1 [%], both measured on the same faces; negative is better."""
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
    """The columns summed over each group."""
    table = np.stack(columns).astype(np.float64)
    if np.isnan(table).any():
        raise ValueError("a value is not a number: leave missed faces out before asking for a mean")
    if groups is None:
        return table
    names, index = np.unique(groups, return_inverse=True)
    sums = [np.bincount(index, weights=row, minlength=len(names)) for row in table]
    return np.stack(sums).astype(np.float64)  # of nothing, bincount makes integers


def _draw(
    sums: Float[np.ndarray, "c g"], resamples: int, seed: int | list[int]
) -> Float[np.ndarray, "c resamples"]:
    """The columns summed over as many groups as there are, drawn with replacement, many times."""
    units = sums.shape[1]
    if units < 2:  # one unit says nothing about the spread between units
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
