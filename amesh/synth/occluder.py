"""Occluders: a hand or another object in front of the face."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from amesh.data import random

_FINGERS = 4


class Layer(NamedTuple):
    """A picture with an alpha channel.

    Attributes:
        colour: (b, 3, h, w) linear RGB, lit.
        cover: (b, 1, h, w) opacity.
    """

    colour: Float[Tensor, "b 3 h w"]
    cover: Float[Tensor, "b 1 h w"]


def draw_occluder(
    key: Int64[Tensor, " b"],
    box: Float[Tensor, "b 4"],
    skin: Float[Tensor, "b 3"],
    size: int,
) -> Layer:
    """Draws fingers and a palm, or a smooth rod of another colour.

    Args:
        key: Keys of the samples.
        box: Left, top, right, bottom of the face [px].
        skin: Colour of the face, and of the hand.
        size: Side of the picture [px].
    """
    draw = random.uniform(key, "occluder", [10])
    extent = (box[:, 2:] - box[:, :2]).amax(1)
    hand = draw[:, 0] < 0.7
    # The fingertips touch a point of the lower or outer face; the hand enters from outside.
    angle = (0.15 + 0.7 * draw[:, 1]) * torch.pi
    middle = (box[:, :2] + box[:, 2:]) / 2
    way = torch.stack([angle.cos(), angle.sin()], 1)
    tip = middle + way * (extent * (0.1 + 0.35 * draw[:, 2]))[:, None]
    lean = angle + 0.9 * (draw[:, 3] - 0.5)
    along = torch.stack([lean.cos(), lean.sin()], 1)
    side = torch.stack([-along[:, 1], along[:, 0]], 1)
    thick = extent * (0.06 + 0.02 * draw[:, 4])
    spread = 0.9 + 0.5 * draw[:, 5]
    starts: list[Tensor] = []
    ends: list[Tensor] = []
    radii: list[Tensor] = []
    for i in range(_FINGERS):
        off = (i - 1.5) * 2.0 * thick
        bend = random.uniform(key, f"finger {i}", [2])
        late = (0.3 * abs(i - 1.3) + 0.3 * bend[:, 0]) * 2.0 * thick
        start = tip + along * late[:, None] + side * (off * spread)[:, None]
        end = (
            tip
            + along * (extent * 0.36)[:, None]
            + side * (off + bend[:, 1] * thick * 0.4)[:, None]
        )
        starts, ends, radii = [*starts, start], [*ends, end], [*radii, thick]
    palm = tip + along * (extent * 0.46)[:, None]
    starts += [palm, palm + along * (extent * 0.2)[:, None]]
    ends += [palm + along * (extent * 0.05)[:, None], palm + along * (extent * 1.5)[:, None]]
    radii += [4.2 * thick, 3.0 * thick]
    # The other object is a thick rod.
    fat = extent * (0.08 + 0.2 * draw[:, 6])
    thing = hand.logical_not()
    for i in range(len(radii)):
        rod = tip + along * (extent * 1.2)[:, None]
        starts[i] = torch.where(thing[:, None], tip, starts[i])
        ends[i] = torch.where(thing[:, None], rod, ends[i])
        radii[i] = torch.where(thing, fat, radii[i])
    line = torch.arange(size, device=key.device) + 0.5
    y, x = torch.meshgrid(line, line, indexing="ij")
    height = torch.full((len(key), size, size), -1.0, device=key.device)
    normal = torch.zeros((len(key), 2, size, size), device=key.device)
    for start, end, radius in zip(starts, ends, radii, strict=True):
        axis = (end - start)[..., None, None]
        px, py = x - start[:, 0, None, None], y - start[:, 1, None, None]
        length = (axis**2).sum(1).clamp(min=1e-6)
        share = ((px * axis[:, 0] + py * axis[:, 1]) / length).clamp(0, 1)
        dx, dy = px - share * axis[:, 0], py - share * axis[:, 1]
        r = radius[:, None, None]
        up = (r**2 - dx**2 - dy**2) / r
        above = up > height
        height = torch.where(above, up, height)
        here = torch.stack([dx / r, dy / r], 1)
        normal = torch.where(above[:, None], here, normal)
    covered = (height / 2.0 + 0.5).clamp(0, 1)[:, None]
    lamp = random.uniform(key, "occluder's light", [2]) - 0.5
    facing = (1 - (normal**2).sum(1)).clamp(min=0).sqrt()
    bright = 0.45 + 0.55 * facing - (normal * 0.7 * lamp[:, :, None, None]).sum(1)
    paint = random.uniform(key, "thing", [3]) ** 2
    colour = torch.where(hand[:, None], skin * (0.8 + 0.4 * draw[:, 7:8]), paint)
    red = 1 - 0.25 * (1 - facing)[:, None] * colour.new_tensor([0.0, 1.0, 1.0])[:, None, None]
    return Layer(colour[:, :, None, None] * bright.clamp(0.1, 1.4)[:, None] * red, covered)
