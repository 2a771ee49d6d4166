"""Rasterises triangles, for all faces of a batch at once.

Convention:
    - pixel (row, column) has its centre at (column + 0.5, row + 0.5); a triangle covers the pixels
      whose centre is inside it, and of several triangles the nearest one is visible
    - depth is the distance along the camera's axis, above 0
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

_LEVELS = float(2**30)  # number of depth levels
_EDGE = -1e-5  # a centre on an edge belongs to both triangles, which leaves no gap between them


class Fragments(NamedTuple):
    """Covered pixels.

    Attributes:
        pixel: Index of the pixel, (face * height + row) * width + column; ascending.
        face: Index of the face in the batch.
        triangle: Index of the nearest triangle.
        weights: Barycentric weights of its corners, corrected for perspective.
        depth: Depth of the surface.
    """

    pixel: Int64[Tensor, " p"]
    face: Int64[Tensor, " p"]
    triangle: Int64[Tensor, " p"]
    weights: Float[Tensor, "p 3"]
    depth: Float[Tensor, " p"]


def rasterise(
    xy: Float[Tensor, "b v 2"],
    depth: Float[Tensor, "b v"],
    triangles: Int64[Tensor, "t 3"],
    size: tuple[int, int],
    two_sided: bool = False,
) -> Fragments:
    """Finds the visible triangle at each pixel.

    Args:
        xy: Vertices [px].
        depth: Depth of the vertices.
        triangles: Triangles, the same for all faces.
        size: Height and width [px].
        two_sided: Whether to draw back faces too; front faces are counter-clockwise on the screen.
    """
    height, width = size
    corners = xy[:, triangles].flatten(0, 1)  # b v 2 -> m 3 2
    depths = depth[:, triangles].flatten(0, 1)
    limit = xy.new_tensor([width, height]) - 1
    low = (corners.amin(1) - 0.5).ceil().clamp(min=0)
    high = torch.minimum((corners.amax(1) - 0.5).floor(), limit)
    extent = (high - low + 1).clamp(min=0)
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    faces_us = area.abs() > 1e-9 if two_sided else area < -1e-9
    faces_us &= (depths.amin(1) > 0) & (extent > 0).all(1)
    drawn = faces_us.nonzero()[:, 0]
    corners, depths, low, extent = corners[drawn], depths[drawn], low[drawn], extent[drawn]
    # The weights of corners 1 and 2 are linear in the position relative to the box's first pixel.
    scale = 1.0 / area[drawn]
    x1, y1 = (first[drawn] * scale[:, None]).unbind(1)
    x2, y2 = (second[drawn] * scale[:, None]).unbind(1)
    start = low + 0.5 - corners[:, 0]
    one = torch.stack([start[:, 0] * y2 - start[:, 1] * x2, y2, -x2], 1)
    two = torch.stack([start[:, 1] * x1 - start[:, 0] * y1, -y1, x1], 1)
    inverse = 1.0 / depths
    near = one * (inverse[:, 1:2] - inverse[:, :1]) + two * (inverse[:, 2:] - inverse[:, :1])
    near[:, 0] += inverse[:, 0]
    # Enumerate the rows of the boxes, then the pixels of each row between the edges.
    owner, row = _ragged(extent[:, 1].long())
    begin, end = _span(one.index_select(0, owner), two.index_select(0, owner), row)
    begin = begin.clamp(min=0)
    counts = (torch.minimum(end, extent[:, 0].index_select(0, owner) - 1) - begin + 1).clamp(min=0)
    line, step = _ragged(counts.long())
    begin = begin.long()
    line_near = near.index_select(0, owner)
    line_near = torch.stack([line_near[:, 0] + row * line_near[:, 2], line_near[:, 1]], 1)
    face = torch.div(drawn, len(triangles), rounding_mode="floor")
    place = (face * height + low[:, 1].long()).index_select(0, owner) + row
    place = place * width + low[:, 0].long().index_select(0, owner)
    column = begin.index_select(0, line) + step
    pixel = place.index_select(0, line) + column
    base, slope = (part.contiguous().index_select(0, line) for part in line_near.unbind(1))
    # The smallest key wins: depth in the upper bits, index of the candidate in the lower ones.
    ceiling = inverse.amax() if len(inverse) else inverse.new_ones(())
    level = ((1.0 - (base + column * slope) / ceiling).clamp(0, 1) * _LEVELS).long()
    key = (level << 32) | torch.arange(len(line), device=xy.device)
    nothing = torch.iinfo(torch.int64).max
    buffer = torch.full((xy.shape[0] * height * width,), nothing, device=xy.device)
    buffer.scatter_reduce_(0, pixel, key, "amin")
    seen = (buffer != nothing).nonzero()[:, 0]
    winner = buffer.index_select(0, seen) & 0xFFFFFFFF
    column, line = column.index_select(0, winner), line.index_select(0, winner)
    row, chosen = row.index_select(0, line), owner.index_select(0, line)
    place_ = torch.stack([torch.ones_like(column), column, row], 1)
    first_share = (one.index_select(0, chosen) * place_).sum(1)
    second_share = (two.index_select(0, chosen) * place_).sum(1)
    shares = torch.stack([1 - first_share - second_share, first_share, second_share], 1)
    shares = shares * inverse.index_select(0, chosen)
    total = shares.sum(1, keepdim=True)
    number = drawn.index_select(0, chosen)
    face = torch.div(number, len(triangles), rounding_mode="floor")
    return Fragments(seen, face, number - face * len(triangles), shares / total, 1 / total[:, 0])


def _ragged(counts: Int64[Tensor, " m"]) -> tuple[Int64[Tensor, " p"], Int64[Tensor, " p"]]:
    """Returns, for each of the `counts` elements of each owner, the owner and its index there."""
    total = int(counts.sum())
    owner = torch.repeat_interleave(
        torch.arange(len(counts), device=counts.device), counts, output_size=total
    )
    start = counts.cumsum(0) - counts
    return owner, torch.arange(total, device=counts.device) - start.index_select(0, owner)


def _span(
    one: Float[Tensor, "m 3"], two: Float[Tensor, "m 3"], row: Int64[Tensor, " m"]
) -> tuple[Float[Tensor, " m"], Float[Tensor, " m"]]:
    """Returns the first and last column of a row in which no corner's weight is negative."""
    shares = torch.stack([one, two, -one - two])  # 3 m 3
    level = shares[..., 0] + row * shares[..., 2]
    level[2] += 1
    slope = shares[..., 1]
    flat = slope.abs() < 1e-12
    edge = -(level - _EDGE) / torch.where(flat, torch.ones_like(slope), slope)
    outside = (flat & (level < _EDGE)).any(0)
    infinite = torch.full_like(edge, torch.inf)
    begin = torch.where(~flat & (slope > 0), edge, -infinite).amax(0).ceil()
    end = torch.where(~flat & (slope < 0), edge, infinite).amin(0).floor()
    return begin, torch.where(outside, begin - 1, end)


def interpolate(
    values: Float[Tensor, "b v c"], triangles: Int64[Tensor, "t 3"], found: Fragments
) -> Float[Tensor, "p c"]:
    """Interpolates values of the vertices at each covered pixel."""
    corners = triangles.index_select(0, found.triangle) + (found.face * values.shape[1])[:, None]
    flat = values.flatten(0, 1)
    parts = [flat.index_select(0, corners[:, i]) * found.weights[:, i : i + 1] for i in range(3)]
    return parts[0] + parts[1] + parts[2]
