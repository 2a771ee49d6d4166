"""Region normalisation: from landmarks to theta, the affine that cuts a region's crop.

Paper, "Attention mechanism": eyes and lips are made horizontal and uniform in size before their
submodels see them; theta is computed from the landmarks of the mesh submodel.

Convention:
    - theta (2 x 3) maps normalised crop coordinates to normalised coordinates of the source of
      the crop; the shared feature map and the input picture have the same theta
    - both rules make the line from the first anchor to the second horizontal in the crop
    - `box` is the released network's rule: the bounding box of the points in the crop's frame,
      width and height each scaled by `BOX_SCALE`, so the points span exactly crop / 1.5
    - `corners` uses one scale: the anchors land at the same two positions in every crop
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from amesh.geometry.affine import similarity

BOX_SCALE = 1.5
# Added to the squared distance of two anchors [normalised units]: keeps the gradient finite for a
# collapsed face, and otherwise changes the distance by 1e-10 of an eye's width.
_TINY = 1e-12


class CornerFrame(NamedTuple):
    """Position of the crop relative to its two anchors, in units of their distance.

    Attributes:
        centre: Centre of the crop relative to the anchors' midpoint: offset along their line, and
            offset below it.
        side: Side of the square crop.
    """

    centre: tuple[float, float]
    side: float


def horizontal(anchors: Float[Tensor, "b 2 2"]) -> Float[Tensor, "b 2"]:
    """Returns the unit vector from the first anchor to the second.

    Examples:
        >>> horizontal(torch.tensor([[[0.0, 0.0], [3.0, 4.0]]]))
        tensor([[0.6000, 0.8000]])
    """
    line = anchors[:, 1] - anchors[:, 0]
    return line * torch.rsqrt(line.square().sum(-1, keepdim=True) + _TINY)


def theta_from_box(
    points: Float[Tensor, "b k 2"], anchors: Float[Tensor, "b 2 2"]
) -> Float[Tensor, "b 2 3"]:
    """Computes theta by the released network's rule, from the points' box times `BOX_SCALE`.

    Args:
        points: The region's landmarks [normalised].
        anchors: The two landmarks whose line becomes horizontal [normalised].

    Examples:
        >>> points = torch.tensor([[[-0.2, 0.0], [0.2, 0.0], [0.0, 0.1], [0.0, -0.1]]])
        >>> theta_from_box(points, points[:, :2])  # 0.3 = 1.5 x half the width
        tensor([[[0.3000, -0.0000, 0.0000],
                 [0.0000, 0.1500, 0.0000]]])
    """
    x_axis = horizontal(anchors)  # b 2
    y_axis = torch.stack([-x_axis[:, 1], x_axis[:, 0]], dim=-1)
    frame = torch.stack([x_axis, y_axis], dim=-1)  # b 2 2, columns are the axes
    turned = points @ frame  # b k 2, coordinates along the axes
    low, high = turned.amin(1), turned.amax(1)
    along, below = ((low + high) / 2).split(1, dim=-1)  # b 1
    centre = along * x_axis + below * y_axis
    theta: Float[Tensor, "b 2 3"] = similarity(centre, x_axis, (high - low) * (BOX_SCALE / 2))
    return theta


def theta_from_corners(
    anchors: Float[Tensor, "b 2 2"], frame: CornerFrame
) -> Float[Tensor, "b 2 3"]:
    """Computes theta by the corner rule: one scale, anchors at the same positions in every crop.

    Args:
        anchors: The two anchors [normalised].
        frame: Position of the crop relative to them; see `corner_frame`.
    """
    x_axis = horizontal(anchors)
    distance = (anchors[:, 1] - anchors[:, 0]).square().sum(-1, keepdim=True).add(_TINY).sqrt()
    normal = torch.stack([-x_axis[:, 1], x_axis[:, 0]], dim=-1)
    along, below = frame.centre
    centre = anchors.mean(1) + distance * (along * x_axis + below * normal)
    half = distance * (frame.side / 2)
    theta: Float[Tensor, "b 2 3"] = similarity(centre, x_axis, half.expand(-1, 2))
    return theta


def corner_frame(
    points: Float[Tensor, "k 2"], anchors: Float[Tensor, "2 2"], scale: float = BOX_SCALE
) -> CornerFrame:
    """Computes the frame whose square crop encloses the scaled box of a mean face's region.

    Args:
        points: The region's landmarks on the mean face, in any unit.
        anchors: The two anchors, in the same unit.
        scale: Ratio of the crop's side to the longer side of the box.
    """
    distance = (anchors[1] - anchors[0]).norm()
    x_axis = (anchors[1] - anchors[0]) / distance
    y_axis = torch.stack([-x_axis[1], x_axis[0]])
    turned = (points - anchors.mean(0)) @ torch.stack([x_axis, y_axis], dim=-1) / distance
    low, high = turned.amin(0), turned.amax(0)
    along, below = ((low + high) / 2).tolist()
    return CornerFrame((along, below), float((high - low).max()) * scale)
