"""The square region of interest from which the network's input is cut.

Convention:
    - a ROI is a square: centre and side [image px], and the angle of its x axis relative to the
      picture's, clockwise on the screen [radians]
    - crop coordinates are continuous pixels of the network's input
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from amesh.geometry.affine import similarity

# Ratio of the ROI's side to the longer side of a box, and offset of its centre from the box's,
# right and down in the ROI [longer sides]. Landmark schemes have their own rule; this is that of
# MediaPipe for a whole face.
Rule = tuple[float, tuple[float, float]]
WHOLE_FACE: Rule = (1.5, (0.0, 0.0))


class Roi(NamedTuple):
    """A batch of square regions of interest.

    Attributes:
        centre: (b, 2) [image px].
        size: (b,) side [image px].
        angle: (b,) [radians], clockwise on the screen.

    Examples:
        >>> Roi.at(320, 240, size=200).size
        tensor([200.], dtype=torch.float64)
    """

    centre: Float[Tensor, "b 2"]
    size: Float[Tensor, " b"]
    angle: Float[Tensor, " b"]

    @classmethod
    def at(cls, x: float, y: float, size: float, angle: float = 0.0) -> "Roi":
        """Makes a batch of one region of interest from plain numbers.

        Args:
            x: x of the centre [image px].
            y: y of the centre [image px].
            size: Side of the square [image px].
            angle: Rotation, clockwise on the screen [radians].
        """
        numbers = torch.tensor([[x, y, size, angle]], dtype=torch.float64)
        return cls(numbers[:, :2], numbers[:, 2], numbers[:, 3])


def from_detection(
    box: Float[Tensor, "b 4"], eyes: Float[Tensor, "b 2 2"], rule: Rule = WHOLE_FACE
) -> Roi:
    """Returns the ROI around a detected face that makes its eyes horizontal.

    Args:
        box: Left, top, right, bottom [image px].
        eyes: The eye on the left of the image, then the other [image px].
        rule: Size and position of the ROI relative to the box; see `amesh.topology.roi`.

    Examples:
        >>> box = torch.tensor([[60.0, 50.0, 180.0, 190.0]])
        >>> eyes = torch.tensor([[[90.0, 100.0], [150.0, 100.0]]])
        >>> from_detection(box, eyes)
        Roi(centre=tensor([[120., 120.]]), size=tensor([210.]), angle=tensor([0.]))
    """
    low, high = box[:, :2], box[:, 2:]
    angle, size = _angle(eyes), (high - low).amax(1) * rule[0]
    return Roi((low + high) / 2 + _shift(size, angle, rule), size, angle)


def turned(roi: Roi, by: float, rule: Rule = WHOLE_FACE) -> Roi:
    """ROI around the same box for a face that is turned further.

    Args:
        roi: By the rule, from a box.
        by: Angle, clockwise on the screen [radians].
        rule: How the ROI follows from the box.

    Examples:
        >>> turned(Roi.at(120, 120, size=210), by=1.5).angle
        tensor([1.5000], dtype=torch.float64)
    """
    angle = roi.angle + by
    shift = _shift(roi.size, angle, rule) - _shift(roi.size, roi.angle, rule)
    return Roi(roi.centre + shift, roi.size, angle)


def from_landmarks(
    points: Float[Tensor, "b n 2"], anchors: Float[Tensor, "b 2 2"], rule: Rule = WHOLE_FACE
) -> Roi:
    """Returns the ROI around a face with known landmarks that makes its anchors horizontal.

    The box is upright in the picture at any angle, as in MediaPipe's graphs for the released
    network.

    Args:
        points: All landmarks of a face [image px].
        anchors: Two landmarks that define the roll, image-left one first [image px].
        rule: Size and position of the ROI relative to the box around the landmarks.
    """
    box = torch.cat([points.amin(1), points.amax(1)], dim=1)
    return from_detection(box, anchors, rule)


def image_from_crop(roi: Roi, crop_size: int) -> Float[Tensor, "b 2 3"]:
    """Returns the affine from crop coordinates to image coordinates.

    Args:
        roi: Regions of interest.
        crop_size: Side of the crop [px].

    Examples:
        >>> image_from_crop(Roi.at(300, 200, size=384), crop_size=192).tolist()
        [[[2.0, -0.0, 108.0], [0.0, 2.0, 8.0]]]
    """
    direction = torch.stack([roi.angle.cos(), roi.angle.sin()], dim=-1)
    scale = (roi.size / crop_size)[:, None].expand(-1, 2)
    centred = similarity(roi.centre, direction, scale)  # crop centre at the origin
    corner = centred[..., :2] @ centred.new_full((2, 1), crop_size / 2)
    return torch.cat([centred[..., :2], centred[..., 2:] - corner], dim=-1)


def _shift(size: Float[Tensor, " b"], angle: Float[Tensor, " b"], rule: Rule) -> Tensor:
    """From the centre of the box to that of the ROI [image px]."""
    scale, (right, down) = rule
    cos, sin = angle.cos(), angle.sin()
    turned = torch.stack([right * cos - down * sin, right * sin + down * cos], dim=-1)
    return turned * (size / scale)[:, None]


def _angle(anchors: Float[Tensor, "b 2 2"]) -> Float[Tensor, " b"]:
    line = anchors[:, 1] - anchors[:, 0]
    return torch.atan2(line[:, 1], line[:, 0])
