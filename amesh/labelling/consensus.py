"""Combines several predictions for one face into labels, and says how far they spread."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

# Share of the predictions, by weight, trimmed at either end of each coordinate: of eight equal
# ones, a single outlier, or two on opposite sides, have no effect.
_TRIM = 1 / 8


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


def consensus(
    answers: Float[np.ndarray, "v n 3"], weights: Float[np.ndarray, "v n"] | None = None
) -> Consensus:
    """Computes the weighted trimmed mean of several predictions, and their spread around it.

    Args:
        answers: Predictions for the same face [picture px].
        weights: How much each prediction of each landmark counts; by default, all alike.
    """
    counts = np.ones(answers.shape[:2]) if weights is None else weights
    total = counts.sum(0)[:, None]
    landmarks = _trimmed_sum(answers, counts) / (total * (1 - 2 * _TRIM))
    size = box_size(landmarks)
    squared = (counts[..., None] * (answers - landmarks) ** 2).sum(0) / total / size**2  # n 3
    return Consensus(landmarks, np.sqrt(squared[:, :2].sum(1)), np.sqrt(squared[:, 2]), size)


def _trimmed_sum(
    answers: Float[np.ndarray, "v n 3"], counts: Float[np.ndarray, "v n"]
) -> Float[np.ndarray, "n 3"]:
    """The weighted sum of each coordinate without the trimmed part of the weight at either end."""
    order = np.argsort(answers, axis=0, kind="stable")
    counts = np.take_along_axis(np.broadcast_to(counts[..., None], answers.shape), order, axis=0)
    # The predictions side by side along a line of the total weight: keep what lies in its middle.
    end = counts.cumsum(0)
    total = end[-1]
    kept = np.minimum(end, (1 - _TRIM) * total) - np.maximum(end - counts, _TRIM * total)
    return np.asarray((kept.clip(min=0) * np.take_along_axis(answers, order, axis=0)).sum(0))


def box_size(landmarks: Float[np.ndarray, "n 3"]) -> float:
    """Longer side of the axis-aligned box around a face, used as the face's size [px]."""
    return max(float(np.ptp(landmarks[:, :2], axis=0).max()), 1e-6)
