"""Weights of labels, from how far the predictions that they are made of spread."""

import numpy as np
from jaxtyping import Float
from torch import Tensor

# Spread [face sizes] at which a landmark counts half. Measured against manual annotations, in the
# wild and in profile: the squared distance to them grows as a + b spread^2, and sqrt(a / b) is
# 0.006 to 0.007. Those annotations have x and y only: using it for z too is an assumption.
HALF = 0.007
# Below this weight, the spread is no longer taken from it: it would grow without limit.
_LEAST = 0.01


def weight(spread: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Weight of a label: 1 if all views agree, 0.5 at a spread of `HALF`.

    This weighting is optimal if the variance of the labels' error is proportional to
    1 + (spread / HALF)^2. `HALF` was measured on x and y only.

    Args:
        spread: Spread of x and y, or of z [face sizes].
    """
    return np.asarray(1.0 / (1.0 + (spread / HALF) ** 2))


def spread_of(weight: Float[Tensor, "b n"]) -> Float[Tensor, "b n"]:
    """Spread [face sizes] that gives a label its weight; 0 for weights of 1 and more."""
    return HALF * (1 / weight.clamp(_LEAST, 1.0) - 1).sqrt()
