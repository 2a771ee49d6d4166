"""Combines several predictions for one face into labels, with a weight for each landmark."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

# Share of the predictions trimmed at either end, for each coordinate: a single outlier, or two on
# opposite sides, has no effect.
_TRIM = 1 / 8
# Spread [face sizes] at which a landmark counts half. Measured against manual annotations, in the
# wild and in profile: the squared distance to them grows as a + b spread^2, and sqrt(a / b) is
# 0.006 to 0.007. Those annotations have x and y only: using it for z too is an assumption.
HALF = 0.007


class Consensus(NamedTuple):
    """The agreed landmarks, and how far the predictions spread around them.

    Attributes:
        landmarks: (n, 3) [picture px].
        spread_xy: (n,) root mean squared distance of the predictions in x and y [face sizes].
        spread_z: (n,) the same for z.
        size: Longer side of the landmarks' bounding box [picture px].
    """

    landmarks: Float[np.ndarray, "n 3"]
    spread_xy: Float[np.ndarray, " n"]
    spread_z: Float[np.ndarray, " n"]
    size: float


def consensus(answers: Float[np.ndarray, "v n 3"]) -> Consensus:
    """Computes the trimmed mean of several predictions, and their spread around it.

    Args:
        answers: Predictions for the same face [picture px].
    """
    left_out = int(len(answers) * _TRIM)
    kept = np.sort(answers, axis=0)[left_out : len(answers) - left_out]
    landmarks = kept.mean(0)
    size = box_size(landmarks)
    squared = ((answers - landmarks) ** 2).mean(0) / size**2  # n 3
    return Consensus(landmarks, np.sqrt(squared[:, :2].sum(1)), np.sqrt(squared[:, 2]), size)


def box_size(landmarks: Float[np.ndarray, "n 3"]) -> float:
    """Longer side of the axis-aligned box around a face, used as the face's size [px]."""
    return max(float(np.ptp(landmarks[:, :2], axis=0).max()), 1e-6)


def weight(spread: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Weight of a label: 1 if all views agree, 0.5 at a spread of `HALF`.

    This weighting is optimal if the variance of the labels' error is proportional to
    1 + (spread / HALF)^2. `HALF` was measured on x and y only.

    Args:
        spread: Spread of x and y, or of z [face sizes].
    """
    return np.asarray(1.0 / (1.0 + (spread / HALF) ** 2))
