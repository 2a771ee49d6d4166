"""How likely landmarks are to be right: from the errors that the network expects.

Convention
    A landmark is right if it lies within `TOLERANCE` of its true place, in x and y, in units of the
    face's size. That size is the distance that the outer corners of the eyes would have if the face
    looked into the camera, taken from the box around all landmarks, as the region of interest is:
    it does not shrink as the face turns away.
"""

import numpy as np
from jaxtyping import Float, Float32

from amesh.topology import Topology

TOLERANCE = 0.05
# Twice the limit over the expected error, from which the probability is 1 in double precision.
_CERTAIN = 100.0


def landmark_confidence(
    expected_error: Float[np.ndarray, " n"],
    landmarks: Float[np.ndarray, "n d"],
    topology: Topology,
) -> Float32[np.ndarray, " n"]:
    """Probability that each landmark of a face is right.

    Args:
        expected_error: Expected distance of each landmark from its true place [image px].
        landmarks: All landmarks of the face, x and y first [image px].
        topology: Of the landmarks.
    """
    limit = TOLERANCE * frontal_eye_distance(landmarks, topology)
    return within(expected_error, limit).astype(np.float32)


def within(expected: Float[np.ndarray, "*s"], limit: float) -> Float[np.ndarray, "*s"]:
    """Probability that an error is at most `limit`, by the distribution of the training loss.

    Args:
        expected: Expected errors.
        limit: A length in the same unit.

    Examples:
        >>> within(np.array([1.0, 2.0]), 2.0).round(3)
        array([0.908, 0.594])
    """
    with np.errstate(divide="ignore"):
        ratio = np.minimum(2 * limit / expected, _CERTAIN)
    return np.asarray(1 - (1 + ratio) * np.exp(-ratio))


def frontal_eye_distance(landmarks: Float[np.ndarray, "n d"], topology: Topology) -> float:
    """Distance of the outer eye corners if the face looked into the camera [px]."""
    template = topology.template[:, :2]
    first, second = template[list(topology.anchors)]
    share = np.linalg.norm(second - first) / np.ptp(template, axis=0).max()
    return float(share * np.ptp(landmarks[:, :2], axis=0).max())
