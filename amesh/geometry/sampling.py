"""The attention: samples a crop from a feature map at the points that theta defines.

There are three samplers: `affine` (kornia) is the reference, used in training; `gather` computes
the same with plain operators, for export; `gaussian` is the paper's soft attention.

Convention:
    - theta maps normalised crop coordinates to normalised map coordinates, as in
      `amesh.geometry.region`
    - a sample at a pixel's centre equals that pixel; between centres it is interpolated bilinearly
    - a sample is exactly zero where its point is outside the box of pixel centres, [0, W - 1] x
      [0, H - 1] in pixel indices: zero padding would fade out over half a pixel instead
    - coordinates are computed in float32 or better, whatever the dtype of the features
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from amesh.geometry.affine import apply
from amesh.geometry.coordinates import pixel_centres

# The soft attention reads the nearest pixel and this many on either side of it along each axis.
_REACH = 2


def affine(
    features: Float[Tensor, "b c h w"], theta: Float[Tensor, "b 2 3"], size: int
) -> Float[Tensor, "b c k k"]:
    """Hard attention, using kornia's bilinear warp.

    Args:
        features: Feature map.
        theta: Normalised crop coordinates to normalised map coordinates.
        size: Side of the crop [px].

    Examples:
        >>> features = torch.arange(16.0).reshape(1, 1, 4, 4)
        >>> theta = torch.tensor([[[0.5, 0.0, 0.0], [0.0, 0.5, 0.0]]])  # the middle half
        >>> affine(features, theta, size=2)
        tensor([[[[ 5.,  6.],
                  [ 9., 10.]]]])
    """
    # Only this sampler needs kornia, which is slow to import.
    from kornia.geometry.transform import homography_warp

    theta = _precise(theta)
    last_row = theta.new_tensor([0.0, 0.0, 1.0]).expand(theta.shape[0], 1, 3)
    homography = torch.cat([theta, last_row], dim=1)
    crop = homography_warp(
        features.to(theta.dtype),
        homography,
        (size, size),
        padding_mode="zeros",
        align_corners=False,
    )
    inside = _inside(_indices(features, theta, size), features)  # b k k
    crop = torch.where(inside[:, None], crop, 0.0).to(features.dtype)
    if features.is_contiguous(memory_format=torch.channels_last):  # the warp does not keep it
        crop = crop.contiguous(memory_format=torch.channels_last)
    return crop


def gather(
    features: Float[Tensor, "b c h w"], theta: Float[Tensor, "b 2 3"], size: int
) -> Float[Tensor, "b c k k"]:
    """Hard attention as four row gathers and three interpolations, without GridSample.

    Args:
        features: Feature map.
        theta: Normalised crop coordinates to normalised map coordinates.
        size: Side of the crop [px].

    Examples:
        >>> features = torch.arange(16.0).reshape(1, 1, 4, 4)
        >>> theta = torch.tensor([[[0.5, 0.0, 0.0], [0.0, 0.5, 0.0]]])  # the middle half
        >>> gather(features, theta, size=2)
        tensor([[[[ 5.,  6.],
                  [ 9., 10.]]]])
    """
    b, c, h, w = features.shape
    position = _indices(features, _precise(theta), size)  # b k k 2
    inside = _inside(position, features)
    # Points outside, and NaN, read the first pixel here and are zeroed below.
    x, y = torch.where(inside[..., None], position, 0.0).unbind(-1)
    # The last cell starts at W - 2, so that a sample at the last centre has both neighbours.
    left, top = x.floor().clamp(max=w - 2), y.floor().clamp(max=h - 2)
    along, down = x - left, y - top
    rows = features.permute(0, 2, 3, 1).reshape(b * h * w, c)
    start = torch.arange(b, device=features.device, dtype=torch.int32)[:, None] * (h * w)
    cell = (top.int() * w + left.int()).reshape(b, -1) + start  # b k*k

    def tap(offset: int) -> Tensor:
        return rows.index_select(0, (cell + offset).reshape(-1)).reshape(b, size, size, c)

    along, down = (t[..., None].to(features.dtype) for t in (along, down))
    upper = torch.lerp(tap(0), tap(1), along)
    lower = torch.lerp(tap(w), tap(w + 1), along)
    crop = torch.lerp(upper, lower, down) * inside[..., None].to(features.dtype)
    return crop.permute(0, 3, 1, 2)


def gaussian(
    features: Float[Tensor, "b c h w"],
    theta: Float[Tensor, "b 2 3"],
    size: int,
    sigma: Float[Tensor, ""],
) -> Float[Tensor, "b c k k"]:
    """Soft attention: each sample is a Gaussian-weighted mean of the pixels around its point.

    The kernel is isotropic and truncated to 5 x 5 pixels around the nearest one; weights are
    normalised over the pixels inside the map.

    Args:
        features: Feature map.
        theta: Normalised crop coordinates to normalised map coordinates, for the kernels' centres.
        size: Side of the crop [px].
        sigma: Standard deviation [map px], positive; learned.

    Examples:
        >>> features = torch.ones(1, 1, 8, 8)
        >>> theta = torch.tensor([[[0.5, 0.0, 0.0], [0.0, 0.5, 0.0]]])
        >>> gaussian(features, theta, size=2, sigma=torch.tensor(0.5))
        tensor([[[[1., 1.],
                  [1., 1.]]]])
    """
    b, c, h, w = features.shape
    position = _indices(features, _precise(theta), size)
    inside = _inside(position, features)[..., None]
    position = torch.where(inside, position, 0.0)
    offsets = torch.arange(-_REACH, _REACH + 1, device=features.device)
    columns, x_weights = _kernel(position[..., 0], offsets, w, sigma)  # b k k 5
    lines, y_weights = _kernel(position[..., 1], offsets, h, sigma)
    rows = features.permute(0, 2, 3, 1).reshape(b * h * w, c)
    start = torch.arange(b, device=features.device)[:, None, None, None] * (h * w)
    taps = (start + lines * w)[..., :, None] + columns[..., None, :]  # b k k 5 5
    weights = (y_weights[..., :, None] * x_weights[..., None, :] * inside[..., None]).flatten(-2)
    # b k k 1 25 times b k k 25 c
    crop = (weights.to(features.dtype)[..., None, :] @ rows[taps.flatten(-2)]).squeeze(-2)
    return crop.permute(0, 3, 1, 2)


def _kernel(position: Tensor, offsets: Tensor, length: int, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """Returns pixel indices (clamped) and normalised weights of the taps along one axis."""
    indices = position.round()[..., None] + offsets
    exists = (indices >= 0) & (indices <= length - 1)
    distance = position[..., None] - indices
    exponent = -0.5 * (distance / sigma).square()
    # Finite, because runtimes take an infinite constant for a broken weight; softmax gives 0.
    exponent = exponent.masked_fill(~exists, torch.finfo(exponent.dtype).min)
    return indices.clamp(0, length - 1).long(), exponent.softmax(-1)


def _precise(theta: Tensor) -> Tensor:
    return theta.to(torch.promote_types(theta.dtype, torch.float32))


def _indices(features: Tensor, theta: Tensor, size: int) -> Float[Tensor, "b k k 2"]:
    """Returns the position in the map that each crop pixel samples, in pixel indices."""
    h, w = features.shape[-2:]
    grid = pixel_centres(size, theta).reshape(1, size * size, 2).expand(theta.shape[0], -1, -1)
    points = apply(theta, grid).unflatten(1, (size, size))  # b k*k 2 -> b k k 2
    extent = points.new_tensor([w, h])
    indices: Tensor = (points + 1.0) * (extent / 2.0) - 0.5
    return indices


def _inside(position: Tensor, features: Tensor) -> Bool[Tensor, "b k k"]:
    h, w = features.shape[-2:]
    x, y = position[..., 0], position[..., 1]
    return (x >= 0) & (x <= w - 1) & (y >= 0) & (y <= h - 1)
