"""The square region of interest from which the network's input is cut, in NumPy or PyTorch.

Convention:
    - a ROI is a square: centre and side [image px], and the angle of its x axis relative to the
      picture's, clockwise on the screen [radians]
    - crop coordinates are continuous pixels of the network's input
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from amesh.geometry.affine import similarity
from amesh.geometry.arrays import Array, namespace

# Ratio of the ROI's side to the longer side of a box, and offset of its centre from the box's,
# right and down in the ROI [longer sides]. Landmark schemes have their own rule; this is that of
# MediaPipe for a whole face.
Rule = tuple[float, tuple[float, float]]
WHOLE_FACE: Rule = (1.5, (0.0, 0.0))

# Between these widths of the line between the anchors, relative to the midline and to the face seen
# from the front, the roll of a face is read more and more from the midline: the cosines of 56 and
# 74 degrees of yaw. Tracking of less turned faces stays as in MediaPipe, to the last bit.
_PROFILE = (0.56, 0.28)


class Roi(NamedTuple):
    """A batch of square regions of interest, as arrays of one library.

    Attributes:
        centre: (b, 2) [image px].
        size: (b,) side [image px].
        angle: (b,) [radians], clockwise on the screen.

    Examples:
        >>> Roi.at(320, 240, size=200).size
        array([200.])
    """

    centre: Float[Array, "b 2"]
    size: Float[Array, " b"]
    angle: Float[Array, " b"]

    @classmethod
    def at(cls, x: float, y: float, size: float, angle: float = 0.0) -> "Roi":
        """Makes a batch of one region of interest from plain numbers, in NumPy.

        Args:
            x: x of the centre [image px].
            y: y of the centre [image px].
            size: Side of the square [image px].
            angle: Rotation, clockwise on the screen [radians].
        """
        numbers = np.array([[x, y, size, angle]], np.float64)
        return cls(numbers[:, :2], numbers[:, 2], numbers[:, 3])

    def pick(self, rows: Any) -> "Roi":
        """Picks some of the regions.

        Args:
            rows: Whatever indexes an array of the same library: indices, a mask, a slice.
        """
        return Roi(*(part[rows] for part in self))

    @classmethod
    def joined(cls, rois: Sequence["Roi"]) -> "Roi":
        """Joins batches, at least one, into one."""
        concatenate = namespace(rois[0].size).concatenate
        return cls(*(concatenate(parts) for parts in zip(*rois, strict=True)))


def from_detection(
    box: Float[Array, "b 4"], eyes: Float[Array, "b 2 2"], rule: Rule = WHOLE_FACE
) -> Roi:
    """Returns the ROI around a detected face that makes its eyes horizontal.

    Args:
        box: Left, top, right, bottom [image px].
        eyes: The eye on the left of the image, then the other [image px].
        rule: Size and position of the ROI relative to the box; see `amesh.topology.roi`.

    Examples:
        >>> box = np.array([[60.0, 50.0, 180.0, 190.0]])
        >>> eyes = np.array([[[90.0, 100.0], [150.0, 100.0]]])
        >>> from_detection(box, eyes)
        Roi(centre=array([[120., 120.]]), size=array([210.]), angle=array([0.]))
    """
    low, high = box[:, :2], box[:, 2:]
    angle, size = _angle(eyes), namespace(box).amax(high - low, 1) * rule[0]
    return Roi((low + high) / 2 + _shift(size, angle, rule), size, angle)


def turned(roi: Roi, by: float, rule: Rule = WHOLE_FACE) -> Roi:
    """Returns the ROI around the same box for a face that is turned further.

    Args:
        roi: By the rule, from a box.
        by: Angle, clockwise on the screen [radians].
        rule: How the ROI follows from the box.

    Examples:
        >>> turned(Roi.at(120, 120, size=210), by=1.5).angle
        array([1.5])
    """
    angle = roi.angle + by
    shift = _shift(roi.size, angle, rule) - _shift(roi.size, roi.angle, rule)
    return Roi(roi.centre + shift, roi.size, angle)


def from_landmarks(
    points: Float[Array, "b n 2"], anchors: Float[Array, "b 2 2"], rule: Rule = WHOLE_FACE
) -> Roi:
    """Returns the ROI around a face with known landmarks that makes its anchors horizontal.

    The box is upright in the picture at any angle, as in MediaPipe's graphs for the released
    network.

    Args:
        points: All landmarks of a face [image px].
        anchors: Two points that define the roll, image-left one first [image px].
        rule: Size and position of the ROI relative to the box around the landmarks.
    """
    xp = namespace(points)
    box = xp.concatenate([xp.amin(points, 1), xp.amax(points, 1)], 1)
    return from_detection(box, anchors, rule)


def level(
    anchors: Float[Array, "b 2 2"], midline: Float[Array, "b 2 2"], frontal: float
) -> Float[Array, "b 2 2"]:
    """Returns two points on a line that is level with the face, from whatever side it is seen.

    It is the line between the anchors, unchanged, unless the face is in profile. There the anchors
    nearly meet, so that a nod turns their line to any side, and past 90 degrees of yaw they change
    places. The midline, which is as long from every side, decides instead.

    Args:
        anchors: Two landmarks that are level in a face seen from the front, image-left one first
            [image px].
        midline: Top and bottom of the face's midline [image px].
        frontal: Distance of the anchors over the length of the midline, seen from the front.

    Examples:
        >>> eyes = np.array([[[50.0, 50.0], [51.0, 54.0]]])
        >>> level(eyes, np.array([[[40.0, 20.0], [40.0, 120.0]]]), frontal=0.5).tolist()
        [[[0.0, 0.0], [1.0, 0.0]]]
    """
    xp = namespace(anchors)
    across, down = anchors[:, 1] - anchors[:, 0], midline[:, 1] - midline[:, 0]
    right = xp.stack([down[:, 1], -down[:, 0]], 1)
    width, height = (
        xp.clip(xp.hypot(line[:, 0], line[:, 1]), 1e-6, None)[:, None] for line in (across, right)
    )
    near, far = _PROFILE
    share = xp.clip((near - width / (height * frontal)) / (near - far), 0.0, 1.0)
    mixed = across / width * (1.0 - share) + right / height * share
    line = xp.stack([xp.zeros_like(mixed), mixed], 1)
    return xp.where((share > 0.0)[:, None], line, anchors)


def image_from_crop(roi: Roi, crop_size: int) -> Float[Array, "b 2 3"]:
    """Returns the affine from crop coordinates to image coordinates.

    Args:
        roi: Regions of interest.
        crop_size: Side of the crop [px].

    Examples:
        >>> image_from_crop(Roi.at(300, 200, size=384), crop_size=192).tolist()
        [[[2.0, -0.0, 108.0], [0.0, 2.0, 8.0]]]
    """
    xp = namespace(roi.centre)
    direction = xp.stack([xp.cos(roi.angle), xp.sin(roi.angle)], -1)
    scale = xp.stack([roi.size, roi.size], -1) / crop_size
    centred = similarity(roi.centre, direction, scale)  # crop centre at the origin
    corner = (centred[..., 0] + centred[..., 1]) * (crop_size / 2)
    return xp.concatenate([centred[..., :2], (centred[..., 2] - corner)[..., None]], -1)


def _shift(size: Float[Array, " b"], angle: Float[Array, " b"], rule: Rule) -> Float[Array, "b 2"]:
    """From the centre of the box to that of the ROI [image px]."""
    xp = namespace(size)
    scale, (right, down) = rule
    cos, sin = xp.cos(angle), xp.sin(angle)
    turned = xp.stack([right * cos - down * sin, right * sin + down * cos], -1)
    return turned * (size / scale)[:, None]


def _angle(anchors: Float[Array, "b 2 2"]) -> Float[Array, " b"]:
    line = anchors[:, 1] - anchors[:, 0]
    return namespace(line).arctan2(line[:, 1], line[:, 0])
