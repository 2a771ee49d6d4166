"""Pixel coordinates and normalised coordinates of a square map or crop.

Convention:
    - continuous pixel coordinates: the top-left corner of the top-left pixel is (0, 0), its
      centre is (0.5, 0.5); x right, y down
    - normalised coordinates: -1 and 1 are the outer edges, so pixel i of n has its centre at
      (2 i + 1) / n - 1 (as with `align_corners=False`)
"""

import torch
from jaxtyping import Float
from torch import Tensor


def normalise(points: Float[Tensor, "*b 2"], size: float) -> Float[Tensor, "*b 2"]:
    """Converts pixel coordinates of a square of `size` [px] to normalised coordinates.

    Examples:
        >>> normalise(torch.tensor([0.0, 24.0]), 48)
        tensor([-1.,  0.])
    """
    return points * (2.0 / size) - 1.0


def denormalise(points: Float[Tensor, "*b 2"], size: float) -> Float[Tensor, "*b 2"]:
    """Converts normalised coordinates to pixel coordinates of a square of `size` [px].

    Examples:
        >>> denormalise(torch.tensor([-1.0, 0.0]), 48)
        tensor([ 0., 24.])
    """
    return (points + 1.0) * (size / 2.0)


def pixel_centres(size: int, like: Tensor) -> Float[Tensor, "k k 2"]:
    """Returns the normalised (x, y) of every pixel centre of a square of `size` [px], row by row.

    Args:
        size: Number of pixels along a side.
        like: A tensor with the dtype and device of the result.

    Examples:
        >>> pixel_centres(2, torch.zeros(1))[..., 0]
        tensor([[-0.5000,  0.5000],
                [-0.5000,  0.5000]])
    """
    steps = torch.arange(size, dtype=like.dtype, device=like.device)
    steps = (2.0 * steps + 1.0) / size - 1.0
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    return torch.stack([x, y], dim=-1)
