"""Changes between networks that were trained several times each, with intervals. NumPy, no I/O.

A network trained again from another seed is another network: its errors differ although nothing
was changed. An interval over faces alone does not know that. Here the spread between seeds is
added to it, estimated from all variants together: what remains of their mean errors once variant
and seed are taken out (a design of complete blocks, the seeds being the blocks). Resampling the
seeds themselves would not do: of three seeds a bootstrap knows no value outside of these three.
"""

import numpy as np
from jaxtyping import Float, Int

from amesh.metrics.bootstrap import Interval
from amesh.metrics.confidence import LEVEL, RESAMPLES

# Numbers drawn at a time: bounds the memory that many resamples of many faces take.
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
    """How much larger each variant's mean error is than the reference's [%]; negative is better.

    The change is the geometric mean over the seeds of the ratio of mean errors, each seed against
    the same seed of the reference. Its interval has two parts: faces (or persons) are drawn with
    replacement, the same for all variants and seeds, and to each draw the spread between seeds is
    added, as Student's t with (v - 1)(s - 1) degrees of freedom. With one seed there is no second
    part.

    Args:
        errors: Of v variants, s seeds each, on the same n faces; above 0.
        reference: Which variant the others are compared with.
        groups: The person (or other unit to draw) of each face; each face its own by default.
        resamples: How many times to draw.
        level: Share of the draws inside the interval.
        seed: Of the random numbers; the same seed draws the same faces.

    Returns:
        One for each variant; the reference's own is 0 and exact. Not-a-number where there is no
        face, and bounds that are not numbers where there is but one person.
    """
    variants, seeds, faces = errors.shape
    if not np.isfinite(errors).all():
        raise ValueError("an error is not a number: leave such faces out before asking for a mean")
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
    """Standard deviation of what is neither variant nor seed."""
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
    """Mean errors over as many persons as there are, drawn with replacement; None of one person."""
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
        # How often each person was drawn.
        times = random.multinomial(
            units, np.full(units, 1 / units), size=min(step, resamples - start)
        )
        parts.append((sums @ times.T) / (counts @ times.T))
    return np.concatenate(parts, axis=-1)


def _percent(log_ratio: float) -> float:
    return float(100 * np.expm1(log_ratio))
