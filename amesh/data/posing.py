"""Fits the mean face to a few labelled points, to place the landmarks without labels.

These landmarks have no weight in training, but the region of interest depends on all landmarks,
and depth needs a zero.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

# Strength of the regularisation towards a frontal pose, relative to the labels. It resolves the
# ambiguity of points in one plane, and has no noticeable effect otherwise.
_RIDGE = 1e-4


class Pose(NamedTuple):
    """The pose of a face in the picture: `turn @ (point - centre) + place`.

    Attributes:
        turn: A rotation times a scale [px per unit of the face].
        centre: A point of the face.
        place: Its position [image px]; its depth is such that the face's origin has depth 0.
    """

    turn: Float[np.ndarray, "3 3"]
    centre: Float[np.ndarray, " 3"]
    place: Float[np.ndarray, " 3"]

    @property
    def facing(self) -> float:
        """1 for a face that looks at the camera, 0 in profile, negative if it looks away.

        If left and right are exchanged in the labels, the face seems to look away.
        """
        return float(self.turn[2, 2] / np.linalg.norm(self.turn[2]))

    def apply(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """Transforms points of the face to the picture [image px]."""
        return np.asarray((points - self.centre) @ self.turn.T + self.place)


def fit_pose(
    template: Float[np.ndarray, "n 3"],
    matrix: Float[np.ndarray, "k n"],
    points: Float[np.ndarray, "k 2"],
) -> Pose:
    """Fits the pose of a rigid face to points, with a scaled orthographic camera.

    The solution is in closed form, because it is computed for every sample: the least-squares
    affine camera, projected to the nearest scaled rotation.

    Args:
        template: The face.
        matrix: Matrix from its points to the labelled points, of which at least two must differ.
        points: The labelled points [image px].
    """
    source = matrix @ template
    centre, middle = source.mean(0), points.mean(0)
    source, target = source - centre, points - middle
    flat = source[:, :2]
    # The best frontal pose: one scale and a roll, in complex numbers.
    ours, theirs = flat[:, 0] + 1j * flat[:, 1], target[:, 0] + 1j * target[:, 1]
    motion = (ours.conj() @ theirs) / max(float((np.abs(ours) ** 2).sum()), 1e-12)
    frontal = np.array([[motion.real, -motion.imag, 0.0], [motion.imag, motion.real, 0.0]])
    ridge = _RIDGE * float((source**2).sum()) * np.eye(3)
    normal = source.T @ source + ridge
    camera = np.linalg.solve(normal, source.T @ target + ridge @ frontal.T).T  # 2 3
    left, strength, right = np.linalg.svd(camera, full_matrices=False)
    scale = float(strength.mean())
    turn = left @ right  # rows orthonormal
    turn = scale * np.concatenate([turn, np.cross(turn[0], turn[1])[None]])
    return Pose(turn, centre, np.array([*middle, turn[2] @ centre]))
