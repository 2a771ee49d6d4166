"""Backgrounds: blurred spots, edges and gradients of random colours."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from amesh.data import random
from amesh.synth.noise import Noise

_BOXES = 4


def draw_background(key: Int64[Tensor, " b"], size: int, noise: Noise) -> Float[Tensor, "b 3 h w"]:
    """Draws backgrounds in linear RGB.

    Args:
        key: Keys of the samples.
        size: Side of the picture [px].
        noise: Noise for texture.
    """
    base = random.uniform(key, "background", [3])
    grey = base.mean(1, keepdim=True)
    colourful = random.uniform(key, "background's colours", [4])
    base = torch.lerp(grey.expand_as(base), base, 0.5 * colourful[:, :1]) ** 2
    result = base.clamp(min=0.004).log()[:, :, None, None]
    for cells in (2, 5, 14):
        spots = random.normal(key, f"spots {cells}", [3, cells, cells])
        spots = torch.lerp(spots.mean(1, keepdim=True).expand_as(spots), spots, 0.12)
        strength = 0.7 * random.uniform(key, f"strength {cells}") ** 2
        smooth = _magnified(strength[:, None, None, None] * spots, size)
        result = result + smooth
    result = result.clamp(-6, 0.3).exp()
    line = (torch.arange(size, device=key.device) + 0.5) / size
    y, x = line[:, None], line[None]
    box = random.uniform(key, "boxes", [_BOXES, 9])
    for i in range(_BOXES):
        cx, cy, wide, tall, turn, hard, *colour = box[:, i, :, None, None].unbind(1)
        turn = 0.4 * (turn - 0.5)
        u = (x - cx) * turn.cos() + (y - cy) * turn.sin()
        v = (y - cy) * turn.cos() - (x - cx) * turn.sin()
        outside = torch.maximum(u.abs() - 0.35 * wide, v.abs() - 0.6 * tall)
        inside = (0.5 - outside / (0.004 + 0.05 * hard)).clamp(0, 1)
        shown = (colourful[:, 1] > 0.3 + 0.15 * i)[:, None, None]
        paint = torch.stack(colour, 1) ** 2
        paint = torch.lerp(paint.mean(1, keepdim=True).expand_as(paint), paint, 0.4)
        result = torch.lerp(result, paint, (inside * shown)[:, None])
    texture = noise.window(key, "background's texture", size, 1.0)
    strength = (0.2 * colourful[:, 2] ** 4)[:, None, None, None]
    return (result * (1 + strength * texture)).clamp(0.002, 1.5)


def _magnified(cells: Float[Tensor, "b 3 c c"], size: int) -> Float[Tensor, "b 3 h w"]:
    """Enlarges cells smoothly."""
    count = cells.shape[-1]
    centres = (torch.arange(count, device=cells.device) + 0.5) / count
    line = (torch.arange(size, device=cells.device) + 0.5) / size
    share = (-3.0 * ((line[:, None] - centres) * count) ** 2 / 2).exp()
    share = share / share.sum(1, keepdim=True)
    # Explicit sums: the rounding of a matrix product may depend on the batch size.
    rows = (cells[..., None, :] * share).sum(-1)  # b 3 c w
    result = share[:, 0, None] * rows[..., :1, :]
    for number in range(1, count):
        result.addcmul_(share[:, number, None], rows[..., number : number + 1, :])
    return result  # b 3 h w
