"""Faces that were found more than once, told by their landmarks."""

import numpy as np
from jaxtyping import Bool, Float

# Share of the smaller of two boxes that lies in the other. In pictures of groups it is up to 0.35
# for neighbours, and at least 0.76 for two detections of one face.
_SHARED = 0.6


def repeats(
    landmarks: Float[np.ndarray, "b n d"], confidence: Float[np.ndarray, " b"]
) -> Bool[np.ndarray, " b"]:
    """Marks faces that repeat a more confident one; of equally confident ones the first stays.

    Args:
        landmarks: x, y and possibly more, of each face [px].
        confidence: Of each face, on any scale.

    Examples:
        >>> big, inside, beside = [[0, 0], [9, 9]], [[1, 1], [5, 5]], [[8, 0], [12, 4]]
        >>> repeats(np.array([big, inside, beside], float), np.array([5.0, 7.0, 6.0]))
        array([ True, False, False])
    """
    if len(landmarks) < 2:
        return np.zeros(len(landmarks), np.bool_)
    rows = landmarks.swapaxes(1, 2)[:, :2].copy()  # b 2 n: faster than along the middle axis
    low, high = rows.min(2), rows.max(2)
    areas = (high - low).prod(1)
    kept: list[int] = []
    for face in np.argsort(-confidence, kind="stable"):
        sides = np.minimum(high[face], high[kept]) - np.maximum(low[face], low[kept])
        smaller = np.minimum(areas[face], areas[kept])
        if not (sides.clip(min=0).prod(1) > _SHARED * smaller).any():
            kept.append(int(face))
    return ~np.isin(np.arange(len(landmarks)), kept)
