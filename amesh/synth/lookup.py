"""Sampling of the flat map."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor


def look_up(
    texture: Float[Tensor, "b 3 t t"], face: Int64[Tensor, " p"], flat: Float[Tensor, "p 2"]
) -> Float[Tensor, "p 3"]:
    """Samples the texture of each point's face bilinearly at its position on the flat map."""
    side = texture.shape[-1]
    table = texture.permute(0, 2, 3, 1).reshape(-1, 3)  # b 3 t t -> m 3
    place = (flat * side - 0.5).clamp(0, side - 1.001)
    low = place.floor()
    share = place - low
    at = (face * side + low[:, 1].long()) * side + low[:, 0].long()
    corners = [table.index_select(0, at + step) for step in (0, 1, side, side + 1)]
    top = torch.lerp(corners[0], corners[1], share[:, :1])
    bottom = torch.lerp(corners[2], corners[3], share[:, :1])
    return torch.lerp(top, bottom, share[:, 1:])
