"""Where a labelled face lies: the topology's mean face, posed so that it fits the labels.

Every scheme labels other points, and a box of whatever is labelled would give every scheme another
region of interest. So the mean face is turned, scaled and moved until those of its points that the
scheme has lie on the labels (scaled orthographic camera), and the region is that of all its points,
by the rule that tracking uses.
"""

import numpy as np
import torch
from jaxtyping import Float

from amesh.errors import UserError
from amesh.evaluation.labels import Label
from amesh.evaluation.schemes import label_scheme
from amesh.geometry import roi
from amesh.geometry.roi import Roi
from amesh.topology.scheme import Topology

_ITERATIONS = 300
_TOLERANCE = 1e-6


def label_roi(label: Label, topology: Topology) -> Roi | None:
    """The region of interest of a labelled face, a batch of one; None where points do not tell it.

    Raises:
        UserError: The topology has no mean face.
    """
    if label.scheme is None:
        return None
    common = label_scheme(label.scheme, topology).common
    if common is None:
        return None
    if not topology.template.any():
        raise UserError(
            f"topology {topology.name} has no template face to take a ROI from labels with"
        )
    labelled = label.points[list(common.labelled), :2]
    face = torch.from_numpy(pose_template(topology.template, common.matrix, labelled))[None]
    return roi.from_landmarks(face, face[:, list(topology.anchors)])


def pose_template(
    template: Float[np.ndarray, "n 3"],
    matrix: Float[np.ndarray, "k n"],
    points: Float[np.ndarray, "k 2"],
) -> Float[np.ndarray, "n 2"]:
    """All points of a rigid face, posed to fit some of them in the picture.

    Alternates between guessing the depth of the labelled points from the current pose and fitting
    the pose to them in 3-D, starting from a frontal face; no step can make the fit worse.

    Args:
        template: The face.
        matrix: Takes its points to those that are labelled.
        points: The labels [image px].

    Returns:
        The posed face [image px].
    """
    source = matrix @ template  # k 3
    centre, middle = source.mean(0), points.mean(0)
    source = source - centre
    target = np.concatenate([points - middle, np.zeros((len(points), 1))], axis=1)
    size = max(float(np.abs(target).max()), 1e-12)
    # A face that looks at the camera, of about the right size: depth unturned.
    target[:, 2] = source[:, 2] * np.linalg.norm(target) / np.linalg.norm(source[:, :2])
    turn = np.eye(3)
    for _ in range(_ITERATIONS):
        turn = _turn(source, target)
        depth = source @ turn[2]
        change = float(np.abs(depth - target[:, 2]).max())
        target[:, 2] = depth
        if change < _TOLERANCE * size:
            break
    return np.asarray((template - centre) @ turn[:2].T + middle)


def _turn(
    source: Float[np.ndarray, "k 3"], target: Float[np.ndarray, "k 3"]
) -> Float[np.ndarray, "3 3"]:
    """The rotation, times a scale, that takes centred points closest to centred points."""
    left, strength, right = np.linalg.svd(target.T @ source)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    scale = (strength * sign).sum() / (source**2).sum()
    return np.asarray(scale * (left * sign) @ right)
