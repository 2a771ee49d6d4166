"""Where a labelled face lies and how its head is turned, by fitting the topology's mean face.

Schemes label different points, so a box around the labelled points would give each scheme another
region of interest. Instead, the mean face is rotated, scaled and shifted until the points that the
scheme has lie on the labels (scaled orthographic camera; in 3-D where every label has a depth). The
region of interest is that of all its points, by the rule that tracking uses. In profile, the line
between the eyes that this rule relies on points into the picture and does not show the roll; there
the head's own vertical axis does.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from amesh.data.sources.labelled_face import LabelledFace
from amesh.errors import UserError
from amesh.evaluation.labels.label_schemes import label_scheme
from amesh.evaluation.labels.measures import common_points, normaliser_length
from amesh.geometry import roi
from amesh.geometry.roi import Roi
from amesh.topology.scheme import Topology

_ITERATIONS = 300
_TOLERANCE = 1e-6
_FEWEST = 4  # points: fewer fit any pose
# Yaw [degrees] above which a face is in profile. On the 32 of 120 faces of AFLW2000-3D that are,
# the released network's error is 13.2 % where the eyes give the roll and 8.6 % where the vertical
# axis does; from 45 to 60 degrees they are alike.
_PROFILE = 60.0


class Posed(NamedTuple):
    """The mean face as it lies in a picture.

    Attributes:
        face: All its points [image px].
        turn: The rotation times a scale.
    """

    face: Float[np.ndarray, "n 2"]
    turn: Float[np.ndarray, "3 3"]

    @property
    def yaw(self) -> float:
        """How far the head is turned to the side, 0 to 90 [degrees].

        How far the line between the eyes points into the picture. A nod about that line or a
        rotation of the picture does not change it.
        """
        across = self.turn[:, 0]
        return float(np.degrees(np.arcsin(abs(across[2]) / np.linalg.norm(across))))

    @property
    def roll(self) -> float:
        """How far the head's vertical axis is rotated in the picture, clockwise [radians]."""
        down = self.turn[:2, 1]
        return math.atan2(-float(down[0]), float(down[1]))


def pose_label(label: LabelledFace, topology: Topology) -> Posed | None:
    """The mean face fitted to a label; None if its points do not show where the face lies.

    Raises:
        UserError: The topology has no mean face.
    """
    common = None if label.scheme is None else label_scheme(label.scheme, topology).common
    if common is None:
        return None
    if not topology.template.any():
        raise UserError(
            f"topology {topology.name} has no template face to take a ROI from labels with"
        )
    matrix, points = common_points(common, label.points)
    return pose_template(topology.template, matrix, points) if len(points) >= _FEWEST else None


def label_roi(label: LabelledFace, topology: Topology) -> Roi | None:
    """The region of interest of a labelled face, a batch of one; None if its points give none.

    If the label has every landmark, their own region, otherwise that of the fitted mean face. For a
    region without a face, the one around the labelled box.

    Raises:
        UserError: The topology has no mean face.
    """
    if not label.face and label.box is not None:
        level = np.array([[[0.0, 0.0], [1.0, 0.0]]])
        box = np.array([label.box], np.float64)
        return roi.from_detection(box, level, topology.require_roi().from_detection)
    if label.scheme == topology.name and np.isfinite(label.points[:, :2]).all():
        return face_roi(label.points[:, :2], topology)
    posed = pose_label(label, topology)
    if posed is None:
        return None
    region = face_roi(posed.face, topology)
    if posed.yaw <= _PROFILE:
        return region
    return region._replace(angle=np.array([posed.roll]))


def face_roi(points: Float[np.ndarray, "n 2"], topology: Topology) -> Roi:
    """The region of interest of a face with all its landmarks [image px], a batch of one."""
    face = points[None].astype(np.float64)
    return roi.from_landmarks(face, face[:, list(topology.anchors)], topology.landmark_rule)


def eye_distance(label: LabelledFace, topology: Topology) -> float | None:
    """Distance between a labelled face's outer eye corners [image px]; None if it is not known.

    In 3-D, so that it does not shrink as the head turns away. If the label has every landmark, from
    these, otherwise from the fitted mean face; never from a network, so it is the same for all.

    Raises:
        UserError: The topology has no mean face.
    """
    corners = topology.normalisers["outer_eye_corners"]
    if label.scheme == topology.name and np.isfinite(label.points[:, :2]).all():
        return normaliser_length(corners, label.points)
    posed = pose_label(label, topology)
    if posed is None:
        return None
    first, second = topology.template[list(corners)] @ posed.turn.T
    return float(np.linalg.norm(first - second))


def pose_template(
    template: Float[np.ndarray, "n 3"],
    matrix: Float[np.ndarray, "k n"],
    points: Float[np.ndarray, "k d"],
) -> Posed:
    """Poses a rigid face so that some of its points fit labels.

    Without depth, alternates between estimating the depth of the labelled points from the current
    pose and fitting the pose to them in 3-D, starting from a frontal face. No step can make the fit
    worse.

    Args:
        template: The face.
        matrix: Maps its points to the labelled ones.
        points: The labels [image px].
    """
    source = matrix @ template  # k 3
    centre, middle = source.mean(0), points[:, :2].mean(0)
    source = source - centre
    target = np.concatenate([points[:, :2] - middle, np.zeros((len(points), 1))], axis=1)
    deep = points.shape[1] == 3 and bool(np.isfinite(points[:, 2]).all())
    if deep:
        target[:, 2] = points[:, 2] - points[:, 2].mean()
        turn = _turn(source, target)
    else:
        turn = _turn_flat(source, target)
    return Posed(np.asarray((template - centre) @ turn[:2].T + middle), turn)


def _turn_flat(
    source: Float[np.ndarray, "k 3"], target: Float[np.ndarray, "k 3"]
) -> Float[np.ndarray, "3 3"]:
    """The same for a target of unknown depth, which is overwritten."""
    size = max(float(np.abs(target).max()), 1e-12)
    # Start from a frontal face of about the right size.
    target[:, 2] = source[:, 2] * np.linalg.norm(target) / np.linalg.norm(source[:, :2])
    turn = np.eye(3)
    for _ in range(_ITERATIONS):
        turn = _turn(source, target)
        depth = source @ turn[2]
        change = float(np.abs(depth - target[:, 2]).max())
        target[:, 2] = depth
        if change < _TOLERANCE * size:
            break
    return turn


def _turn(
    source: Float[np.ndarray, "k 3"], target: Float[np.ndarray, "k 3"]
) -> Float[np.ndarray, "3 3"]:
    """The rotation times a scale that brings centred points closest to centred target points."""
    left, strength, right = np.linalg.svd(target.T @ source)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    scale = (strength * sign).sum() / (source**2).sum()
    return np.asarray(scale * (left * sign) @ right)
