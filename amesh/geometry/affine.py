"""Batches of 2 x 3 affine matrices.

Convention:
    - a matrix [[a, b, t_x], [c, d, t_y]] multiplies the column (x, y, 1): x' = a x + b y + t_x
    - names state the direction: `image_from_crop` maps crop coordinates to image coordinates,
      and `compose(image_from_crop, crop_from_map)` maps map coordinates to image coordinates
"""

import torch
from jaxtyping import Float
from torch import Tensor


def apply(affine: Float[Tensor, "*b 2 3"], points: Float[Tensor, "*b n 2"]) -> Tensor:
    """Transforms points by the affine of their batch entry.

    Returns:
        Points of shape (*b, n, 2).

    Examples:
        >>> image_from_crop = torch.tensor([[2.0, 0.0, 108.0], [0.0, 2.0, 8.0]])
        >>> apply(image_from_crop, torch.tensor([[0.0, 0.0], [96.0, 96.0]]))
        tensor([[108.,   8.],
                [300., 200.]])
    """
    linear, shift = affine[..., :2], affine[..., 2]
    return points @ linear.transpose(-1, -2) + shift[..., None, :]


def compose(
    outer: Float[Tensor, "*b 2 3"], inner: Float[Tensor, "*b 2 3"]
) -> Float[Tensor, "*b 2 3"]:
    """Returns the affine that applies `inner` first, then `outer`.

    Examples:
        >>> double = torch.tensor([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
        >>> shift = torch.tensor([[1.0, 0.0, 3.0], [0.0, 1.0, 4.0]])
        >>> compose(double, shift)
        tensor([[2., 0., 6.],
                [0., 2., 8.]])
    """
    linear = outer[..., :2] @ inner[..., :2]
    shift = outer[..., :2] @ inner[..., 2:] + outer[..., 2:]
    return torch.cat([linear, shift], dim=-1)


def invert(affine: Float[Tensor, "*b 2 3"]) -> Float[Tensor, "*b 2 3"]:
    """Returns the inverse affine; infinite where the matrix is singular.

    Examples:
        >>> image_from_crop = torch.tensor([[2.0, 0.0, 108.0], [0.0, 2.0, 8.0]])
        >>> apply(invert(image_from_crop), torch.tensor([[300.0, 200.0]]))
        tensor([[96., 96.]])
    """
    a, b, c, d = affine[..., 0, 0], affine[..., 0, 1], affine[..., 1, 0], affine[..., 1, 1]
    rows = torch.stack([d, -b, -c, a], dim=-1).unflatten(-1, (2, 2))
    linear = rows / (a * d - b * c)[..., None, None]
    return torch.cat([linear, -linear @ affine[..., 2:]], dim=-1)


def similarity(
    centre: Float[Tensor, "*b 2"], direction: Float[Tensor, "*b 2"], scale: Float[Tensor, "*b 2"]
) -> Float[Tensor, "*b 2 3"]:
    """Returns the affine that scales each axis, rotates x onto `direction` and moves to `centre`.

    Args:
        centre: Image of (0, 0).
        direction: Unit vector that (1, 0) is rotated to; (0, 1) is rotated to its normal
            (-y, x), which is clockwise on a screen.
        scale: Lengths of the images of the x axis and the y axis.

    Examples:
        >>> centre, right = torch.tensor([300.0, 200.0]), torch.tensor([1.0, 0.0])
        >>> similarity(centre, right, torch.tensor([2.0, 2.0]))
        tensor([[  2.,  -0., 300.],
                [  0.,   2., 200.]])
    """
    normal = torch.stack([-direction[..., 1], direction[..., 0]], dim=-1)
    columns = [direction * scale[..., :1], normal * scale[..., 1:], centre]
    return torch.stack(columns, dim=-1)
