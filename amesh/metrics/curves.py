"""Summaries of the errors of many faces: failure rate and area under the curve."""

import numpy as np
from jaxtyping import Float


def failure_rate(errors: Float[np.ndarray, " n"], threshold: float) -> float:
    """Returns FR@t, the share of faces whose error exceeds the threshold [%].

    Args:
        errors: One error per face; infinite for a missed face.
        threshold: Threshold in the unit of the errors. An error equal to it is not a failure.

    Raises:
        ValueError: The threshold is not above 0, or an error is NaN.
    """
    _check(errors, threshold)
    return float(100 * np.mean(errors > threshold)) if len(errors) else float("nan")


def area_under_curve(errors: Float[np.ndarray, " n"], threshold: float) -> float:
    """Returns AUC@t, the area under the cumulative error curve up to the threshold [%].

    The area is divided by the threshold. It is exact: each face adds a step of 1/n at its error,
    that is, an area of (threshold - error) / n.

    Args:
        errors: One error per face; infinite for a missed face.
        threshold: Threshold in the unit of the errors.

    Raises:
        ValueError: The threshold is not above 0, or an error is NaN.
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
