"""From a detector's raw output to boxes: anchors, decoding, weighted non-maximum suppression.

Convention:
    - a row of 16 numbers is a box with six keypoints, in continuous coordinates of the network's
      square input [px]: x0, y0, x1, y1, then x and y of each keypoint
"""

import math
from functools import cache

import numpy as np
from jaxtyping import Float32

from amesh.blazeface.config import DetectorConfig


@cache
def anchors(config: DetectorConfig) -> Float32[np.ndarray, "anchors 2"]:
    """Centres of the anchors [input px]. They are cached, so do not modify them.

    All anchors of a cell lie at its centre; they have no size of their own.
    """
    grids = []
    for cells, repeats in config.grids:
        centres = (np.arange(cells, dtype=np.float32) + 0.5) * (config.input_size / cells)
        x, y = np.meshgrid(centres, centres)  # row by row
        grids.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), repeats, axis=0))
    return np.concatenate(grids).astype(np.float32)


def decode(
    boxes: Float32[np.ndarray, "anchors 16"],
    logits: Float32[np.ndarray, " anchors"],
    centres: Float32[np.ndarray, "anchors 2"],
    threshold: float,
) -> tuple[Float32[np.ndarray, "n 16"], Float32[np.ndarray, " n"]]:
    """Rows and scores of the anchors that see a face with at least this score, in their order.

    Args:
        boxes: Raw: centre x, centre y, width, height, then x and y of six keypoints [input px];
            all but the size are relative to the anchor.
        logits: Raw scores.
        centres: Of the anchors [input px].
        threshold: Smallest score, between 0 and 1.
    """
    # Few anchors see a face: nothing is computed for the others.
    keep = np.flatnonzero(logits >= math.log(threshold / (1 - threshold)))
    keep = keep[(boxes[keep, 2:4] >= 0).all(axis=1)]
    points = boxes[keep].reshape(-1, 8, 2)
    half = points[:, 1] / 2
    points += centres[keep][:, None]
    points[:, 1] = points[:, 0] + half
    points[:, 0] -= half
    scores = 0.5 * (1 + np.tanh(0.5 * logits[keep]))  # the sigmoid, in a form that cannot overflow
    return points.reshape(-1, 16), scores.astype(np.float32)


def overlap(
    box: Float32[np.ndarray, " 4"], boxes: Float32[np.ndarray, "n 4"]
) -> Float32[np.ndarray, " n"]:
    """Intersection over union of one box with each of many; 0 where both are empty."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    np.maximum(sides, 0, out=sides)
    shared, each = sides[:, 0] * sides[:, 1], boxes[:, 2:] - boxes[:, :2]
    union = (box[2] - box[0]) * (box[3] - box[1]) + each[:, 0] * each[:, 1] - shared
    found: np.ndarray = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return found


def weighted_nms(
    rows: Float32[np.ndarray, "n 16"], scores: Float32[np.ndarray, " n"], iou: float
) -> tuple[Float32[np.ndarray, "m 16"], Float32[np.ndarray, " m"]]:
    """One row for each face: the score-weighted mean of its rows.

    The rows of a face are its best one and those that overlap this by more than `iou`; the score is
    the best row's. Results come by falling score; equal scores keep their order.
    """
    order = np.argsort(-scores, kind="stable")
    means, best = [], []
    while len(order):
        top = order[0]
        joined = overlap(rows[top, :4], rows[order, :4]) > iou
        joined[0] = True  # an empty box does not even overlap itself
        same = order[joined]
        weights = scores[same].astype(np.float64)
        means.append(weights @ rows[same] / weights.sum())
        best.append(scores[top])
        order = order[~joined]
    return np.array(means, np.float32).reshape(-1, 16), np.array(best, np.float32)
