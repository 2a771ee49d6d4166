"""The frames of glasses, as strips of vertices in the head's frame."""

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from amesh.data import random

RIM = 24  # vertices along the inner and the outer edge of a rim


def glasses_of(
    face: Float[Tensor, "b n 3"], key: Int64[Tensor, " b"]
) -> tuple[Float[Tensor, "b m 3"], Float[Tensor, "b 2 3"], Float[Tensor, "b 2"]]:
    """Returns rims, bridge and temples; centres of the lenses; their half width and height."""
    draw = random.uniform(key, "glasses", [5])
    half = torch.stack([0.25 + 0.06 * draw[:, 0], 0.15 + 0.11 * draw[:, 1]], 1)
    square = 2.0 + 3.0 * draw[:, 2:3]
    thick = (0.012 + 0.035 * draw[:, 3] ** 2)[:, None]
    angle = torch.arange(RIM, device=face.device) * (2 * math.pi / RIM)
    circle = torch.stack([angle.cos(), angle.sin()], -1)
    circle = circle / (circle.abs()[None] ** square[..., None]).sum(-1, keepdim=True) ** (
        1 / square[..., None]
    )
    # In front of the brows and of the bridge of the nose.
    front = face[:, [9, 105, 334, 6, 159, 386], 2].amin(1) - 0.07
    height = face[:, [33, 263], 1].mean(1) + 0.04 + 0.05 * draw[:, 4]
    middles, blocks = [], []
    for eye in (-1.0, 1.0):
        x = eye * (0.06 + half[:, 0] + 0.02)
        middle = torch.stack([x, height, front], -1)
        middles.append(middle)
        for grow_by in (1.0, 0.0):
            ring = circle * (half[:, None] + grow_by * thick[..., None])
            bent = 0.12 * (ring[..., 0] * eye).clamp(min=-1) ** 2
            blocks.append(middle[:, None] + torch.cat([ring, bent[..., None]], -1))
    places = torch.stack(middles, 1)
    inner = places[:, :, 0].abs().mean(1) - half[:, 0]
    outer = places[:, 1, 0] + half[:, 0]
    strip = torch.stack([-inner, torch.zeros_like(inner), inner], 1)
    for offset in (-0.04, 0.0):
        y = (height + offset - thick[:, 0] * (offset < 0))[:, None].expand(-1, 3)
        blocks.append(torch.stack([strip, y, front[:, None].expand(-1, 3)], -1))
    for sign in (-1.0, 1.0):
        x = sign * torch.stack([outer, outer + 0.07, torch.full_like(outer, 0.82)], 1)
        z = torch.stack([front + 0.02, front + 0.08, torch.full_like(front, 0.9)], 1)
        for offset in (-0.5, 0.5):
            y = height[:, None] - 0.05 + offset * (0.02 + 1.6 * thick)
            blocks.append(torch.stack([x, y.expand(-1, 3), z], -1))
    return torch.cat(blocks, 1), places, half
