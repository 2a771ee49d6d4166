"""What the errors of many faces come to: failure rate and area under the curve. NumPy, no I/O."""

import numpy as np
from jaxtyping import Float


def failure_rate(errors: Float[np.ndarray, " n"], threshold: float) -> float:
    """FR@t: share of faces whose error exceeds the threshold [%].

    Args:
        errors: One for each face; infinite for a face that was missed.
        threshold: In the unit of the errors. An error equal to it is no failure.
    """
    _check(errors, threshold)
    return float(100 * np.mean(errors > threshold)) if len(errors) else float("nan")


def area_under_curve(errors: Float[np.ndarray, " n"], threshold: float) -> float:
    """AUC@t: area under the cumulative error curve from 0 to the threshold, over the threshold [%].

    Exact: each face adds a step of 1/n at its own error, hence an area of (threshold - error) / n.

    Args:
        errors: One for each face; infinite for a face that was missed.
        threshold: In the unit of the errors.
    """
    _check(errors, threshold)
    if not len(errors):
        return float("nan")
    return float(100 * np.mean((threshold - errors).clip(min=0)) / threshold)


def _check(errors: Float[np.ndarray, " n"], threshold: float) -> None:
    if threshold <= 0:
        raise ValueError(f"expected a threshold above 0, found {threshold}")
    if np.isnan(errors).any():
        raise ValueError(f"{int(np.isnan(errors).sum())} of {len(errors)} errors are not numbers")
