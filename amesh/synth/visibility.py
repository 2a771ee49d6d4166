"""The visibility of landmarks in a picture."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from amesh.synth.head import EYE
from amesh.synth.picture import Seen


def visible(
    seen: Seen,
    points: Float[Tensor, "b n 3"],
    xy: Float[Tensor, "b n 2"],
    on_eye: Bool[Tensor, " n"],
    tolerance: float = 0.04,
) -> Float[Tensor, "b n"]:
    """Returns 1 for visible points, and 0 for hidden ones.

    Args:
        seen: The picture.
        points: Points in the camera's frame.
        xy: The same points in the picture [px].
        on_eye: Points on eyeballs, which lids may hide.
        tolerance: How far a point may be behind the surface [units of the head].
    """
    count, height, width = seen.depth.shape
    inside = (xy >= 0).all(-1) & (xy < xy.new_tensor([width, height])).all(-1)
    column, row = (xy[..., i].long().clamp(0, limit - 1) for i, limit in enumerate((width, height)))
    at = row * width + column
    # At the outline, the surface may be one pixel off: use the farthest neighbour.
    steps = torch.arange(-1, 2, device=xy.device)
    rows = (row[..., None, None] + steps[:, None]).clamp(0, height - 1)
    columns = (column[..., None, None] + steps).clamp(0, width - 1)
    near = (rows * width + columns).flatten(1)  # b n 3 3 -> b m
    shape = (count, -1, 9)
    farthest = seen.depth.flatten(1).gather(1, near).view(shape).amax(-1)
    open_ = (seen.part.flatten(1).gather(1, near) >= EYE).view(shape).any(-1)
    shown = (points[..., 2] <= farthest + tolerance) & (seen.cover.flatten(1).gather(1, at) < 0.5)
    shown &= ~on_eye | open_
    return (inside & shown).float()
