"""What our blendshape network sees of a face: its landmarks without pose, place and size."""

import numpy as np
from jaxtyping import Float32, Float64

from amesh.effects.canonical import canonical_face

COUNT = 2 * 478


def features(faces: Float64[np.ndarray, "b 478 3"]) -> Float32[np.ndarray, "b 956"]:
    """How far landmarks are from those of the canonical face, seen from the front [mm].

    Each face is turned, moved and scaled so that its rigid landmarks are as near as possible to the
    canonical ones (Umeyama, 1991); of the result, x and y are kept. Depth is what
    networks know least, and serves only to turn the face.

    Args:
        faces: Finite landmarks [image px].
    """
    canonical = canonical_face()
    goal = canonical.points[canonical.rigid]
    middle = goal.mean(axis=0)
    goal = goal - middle
    rigid = faces[:, canonical.rigid]
    centre = rigid.mean(axis=1, keepdims=True)
    rigid = rigid - centre
    covariance = np.einsum("kd,bke->bde", goal, rigid)
    u, spread, vt = np.linalg.svd(covariance)
    # Never a reflection: a mirrored face stays mirrored.
    spread[:, 2] *= (sign := np.sign(np.linalg.det(u) * np.linalg.det(vt)))
    u[:, :, 2] *= sign[:, None]
    size = (rigid**2).sum(axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):  # points in a heap give NaN
        scale = spread.sum(axis=1) / size
        turned = (faces - centre) @ np.swapaxes(u @ vt, 1, 2)[:, :, :2]
        away = turned * scale[:, None, None] + (middle - canonical.points)[:, :2]
    return np.asarray(away.reshape(len(faces), COUNT), np.float32)
