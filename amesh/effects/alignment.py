"""Turns, moves and scales faces so that they lie on the canonical face."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from amesh.effects.canonical import canonical_face


class Alignment(NamedTuple):
    """The similarities that put faces on the canonical one.

    A point goes to `(point - centre) @ rotation * scale + goal`.

    Attributes:
        centre: Middle of the rigid landmarks of each face.
        rotation: Proper rotations, for points as rows.
        scale: [mm] per unit of the landmarks; NaN where all points coincide.
        goal: Middle of the canonical rigid landmarks [mm].
    """

    centre: Float64[np.ndarray, "b 1 3"]
    rotation: Float64[np.ndarray, "b 3 3"]
    scale: Float64[np.ndarray, " b"]
    goal: Float64[np.ndarray, "3"]


def align(faces: Float64[np.ndarray, "b 478 3"]) -> Alignment:
    """The similarity of least squares over the rigid landmarks (Umeyama, 1991).

    Args:
        faces: Finite landmarks [any unit].
    """
    canonical = canonical_face()
    goal = canonical.points[canonical.rigid]
    middle = goal.mean(axis=0)
    rigid = faces[:, canonical.rigid]
    first = rigid[:, :1]
    rigid = rigid - first  # exactly 0 for coincident points, whose mean rounding may shift
    centre = rigid.mean(axis=1, keepdims=True)
    rigid -= centre
    covariance = np.einsum("kd,bke->bde", goal - middle, rigid)
    u, spread, vt = np.linalg.svd(covariance)
    # Never a reflection: a mirrored face stays mirrored.
    spread[:, 2] *= (sign := np.sign(np.linalg.det(u) * np.linalg.det(vt)))
    u[:, :, 2] *= sign[:, None]
    size = (rigid**2).sum(axis=(1, 2))
    with np.errstate(invalid="ignore"):  # coincident points
        scale = spread.sum(axis=1) / size
    return Alignment(first + centre, np.swapaxes(u @ vt, 1, 2), scale, middle)
