"""The mean face posed on a few labelled points: where the landmarks lie that nobody labelled.

They get no weight in training, but the region of interest is that of all landmarks, whatever the
scheme, and depth needs a zero.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

# How strongly the pose is drawn to a frontal one, relative to the labels: decides where points in
# one plane leave the turn of the head open, and is not felt otherwise.
_RIDGE = 1e-4


class Pose(NamedTuple):
    """How a face lies in the picture: `turn @ (point - centre) + place`.

    Attributes:
        turn: A rotation times a scale [px per unit of the face].
        centre: A point of the face.
        place: Where it lies [image px]; its depth is such that the origin of the face has 0.
    """

    turn: Float[np.ndarray, "3 3"]
    centre: Float[np.ndarray, " 3"]
    place: Float[np.ndarray, " 3"]

    @property
    def facing(self) -> float:
        """1 for a face that looks at the camera, 0 in profile, negative where it looks away.

        Labels with left and right exchanged are those of a face seen from behind.
        """
        return float(self.turn[2, 2] / np.linalg.norm(self.turn[2]))

    def apply(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """Points of the face in the picture [image px]."""
        return np.asarray((points - self.centre) @ self.turn.T + self.place)


def fit_pose(
    template: Float[np.ndarray, "n 3"],
    matrix: Float[np.ndarray, "k n"],
    points: Float[np.ndarray, "k 2"],
) -> Pose:
    """A rigid face, turned, scaled and moved (scaled orthographic camera) to fit points.

    Closed form, because it runs for every sample: the affine camera of least squares, brought to
    the nearest scaled rotation.

    Args:
        template: The face.
        matrix: Takes its points to those that are labelled; at least two apart.
        points: The labels [image px].
    """
    source = matrix @ template
    centre, middle = source.mean(0), points.mean(0)
    source, target = source - centre, points - middle
    flat = source[:, :2]
    # A frontal face: one scale and a roll, as complex numbers.
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
