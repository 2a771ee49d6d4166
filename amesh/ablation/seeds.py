"""Changes between networks that were trained with several seeds each, with intervals.

Training the same network with another seed changes its errors, which an interval over faces alone
ignores. Here, the interval includes the spread between seeds, estimated from all variants together
as the residuals of their mean errors after removing the effects of variant and seed (a complete
block design with the seeds as blocks). Resampling the seeds would not be enough: a bootstrap over
three seeds has no values outside their range.
"""

import numpy as np
from jaxtyping import Float, Int

from amesh.metrics.bootstrap import Interval
from amesh.metrics.confidence import LEVEL, RESAMPLES

# Random numbers drawn at a time; limits memory.
_CHUNK = 4_000_000


def changes_over_seeds(
    errors: Float[np.ndarray, "v s n"],
    reference: int,
    groups: Int[np.ndarray, " n"] | None = None,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> list[Interval]:
    """Returns the change of each variant's mean error from the reference's [%]; negative is better.

    The change is the geometric mean over the seeds of the ratio of mean errors to the reference
    with the same seed. Its interval has two parts: faces (or persons) are drawn with replacement,
    the same for all variants and seeds; and each draw is offset by the spread between seeds times
    Student's t with (v - 1)(s - 1) degrees of freedom. With one seed, there is no second part.

    Args:
        errors: Errors of v variants with s seeds each on the same n faces; above 0.
        reference: Index of the variant that the others are compared with.
        groups: Person (or other unit to resample) of each face; by default, each face is a unit of
            its own.
        resamples: Number of bootstrap resamples.
        level: Share of the draws inside the interval.
        seed: Random seed; the same seed draws the same faces.

    Returns:
        One interval per variant; the reference's is exactly 0. All NaN if there is no face; bounds
        of NaN if there is only one person.

    Raises:
        ValueError: An error is not finite.
    """
    variants, seeds, faces = errors.shape
    if not np.isfinite(errors).all():
        raise ValueError("an error is not a number: leave such faces out before computing a mean")
    if not faces:
        return [Interval(*[float("nan")] * 3)] * variants
    logs = np.log(errors.mean(-1))  # v s
    changes = (logs - logs[reference]).mean(1)
    random = np.random.default_rng(seed)
    drawn = _drawn_means(errors, groups, resamples, random)  # v s resamples
    if drawn is None:
        return [Interval(_percent(change), *[float("nan")] * 2) for change in changes]
    ratios = np.log(drawn)
    ratios = (ratios - ratios[reference]).mean(1)  # v resamples
    if seeds > 1:
        between = random.standard_t((variants - 1) * (seeds - 1) or 1, size=resamples)
        ratios[np.arange(variants) != reference] += np.sqrt(2 / seeds) * _spread(logs) * between
    edges = [(1 - level) / 2, (1 + level) / 2]
    bounds = np.quantile(ratios, edges, axis=1).T  # v 2
    return [
        Interval(_percent(change), _percent(low), _percent(high))
        for change, (low, high) in zip(changes, bounds, strict=True)
    ]


def _spread(logs: Float[np.ndarray, "v s"]) -> float:
    """Returns the standard deviation of the residuals after removing variant and seed."""
    variants, seeds = logs.shape
    if variants < 2:
        return 0.0
    rest = logs - logs.mean(0) - logs.mean(1, keepdims=True) + logs.mean()
    return float(np.sqrt(np.square(rest).sum() / ((variants - 1) * (seeds - 1))))


def _drawn_means(
    errors: Float[np.ndarray, "v s n"],
    groups: Int[np.ndarray, " n"] | None,
    resamples: int,
    random: np.random.Generator,
) -> Float[np.ndarray, "v s resamples"] | None:
    """Returns mean errors over persons drawn with replacement; None if there is only one person."""
    names, index = np.unique(
        np.arange(errors.shape[-1]) if groups is None else groups, return_inverse=True
    )
    units = len(names)
    if units < 2:
        return None
    sums = np.array([[np.bincount(index, row) for row in rows] for rows in errors])  # v s g
    counts = np.bincount(index)
    parts = []
    step = max(_CHUNK // units, 1)
    for start in range(0, resamples, step):
        # The number of times that each person is drawn.
        times = random.multinomial(
            units, np.full(units, 1 / units), size=min(step, resamples - start)
        )
        parts.append((sums @ times.T) / (counts @ times.T))
    return np.concatenate(parts, axis=-1)


def _percent(log_ratio: float) -> float:
    return float(100 * np.expm1(log_ratio))
