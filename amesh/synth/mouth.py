"""The inside of an open mouth: teeth, gums, tongue and shadow.

Convention: rays are in the head's frame. The teeth are on an upright arc; the upper ones are at a
fixed distance from the nose, the lower ones from the chin.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from amesh.data import random

_ARC = 0.30  # radius of the rows of teeth
_TOOTH = 0.085


class Mouth(NamedTuple):
    """The mouths of a batch, in the head's frame.

    Attributes:
        upper: (b,) height of the edge of the upper teeth.
        lower: (b,) height of the edge of the lower teeth.
        front: (b, 2) x and z of the foremost tooth.
        teeth: (b, 3) linear RGB of the teeth.
        shown: (b,) length of the lower teeth above the gums.
    """

    upper: Float[Tensor, " b"]
    lower: Float[Tensor, " b"]
    front: Float[Tensor, "b 2"]
    teeth: Float[Tensor, "b 3"]
    shown: Float[Tensor, " b"]


def place(
    face: Float[Tensor, "b n 3"], mean: Float[Tensor, "n 3"], key: Int64[Tensor, " b"]
) -> Mouth:
    """Places teeth behind the lips.

    Args:
        face: Landmarks.
        mean: The mean face, whose lips are almost closed.
        key: Keys of the samples.
    """
    draw = random.uniform(key, "teeth", [4])
    upper = face[:, 2, 1] + (mean[13, 1] - mean[2, 1]) + 0.05 * draw[:, 0]
    lower = face[:, 152, 1] + (mean[14, 1] - mean[152, 1]) - 0.02 + 0.04 * draw[:, 1]
    lower = torch.maximum(lower, upper - 0.02)
    front = torch.stack([face[:, 13, 0], face[:, [0, 13]].mean(1)[:, 2] + 0.085], 1)
    white = face.new_tensor([0.62, 0.57, 0.47]) * (0.6 + 0.5 * draw[:, 2:3])
    return Mouth(upper, lower, front, white, 0.04 + 0.06 * draw[:, 3])


def shade(
    origin: Float[Tensor, "p 3"],
    direction: Float[Tensor, "p 3"],
    lid: Float[Tensor, " p"],
    mouth: Mouth,
) -> Float[Tensor, "p 3"]:
    """Shades rays between the lips, including the shadow of the mouth.

    Args:
        origin: Origins of the rays in the head's frame.
        direction: Directions of the rays.
        lid: Position between the lips, from 0 at the lower to 1 at the upper one.
        mouth: Mouth of each ray.
    """
    flat = direction[:, [0, 2]]
    centre = mouth.front + mouth.front.new_tensor([0.0, _ARC])
    start = origin[:, [0, 2]] - centre
    # Intersect the ray with the front of the arc.
    a, b = (flat**2).sum(1), (flat * start).sum(1)
    root = (b * b - a * ((start**2).sum(1) - _ARC**2)).clamp(min=0).sqrt()
    along = (-b - root) / a.clamp(min=1e-9)
    hit = start + along[:, None] * flat
    y = origin[:, 1] + along * direction[:, 1]
    arc = torch.atan2(hit[:, 0], -hit[:, 1]) * _ARC
    place_ = arc / _TOOTH
    gap = (place_ - place_.round()).abs()  # 0 between two teeth
    edge = (gap / 0.08).clamp(0, 1)
    rounding = 0.018 * (1 - 2 * (0.5 - gap)).clamp(0, 1)
    back = (1.0 - (arc / 0.36) ** 2).clamp(0, 1)
    soft = 0.008

    def above(limit: Tensor) -> Tensor:
        return ((limit - y) / soft + 0.5).clamp(0, 1)

    upper = above(mouth.upper + rounding - 0.012)
    lower = 1 - above(mouth.lower - rounding + 0.008)
    gums = torch.maximum(
        upper * above(mouth.upper - 0.115), lower * (1 - above(mouth.lower + mouth.shown))
    )
    dark = mouth.teeth.new_tensor([0.035, 0.010, 0.010])
    tongue = mouth.teeth.new_tensor([0.28, 0.09, 0.09])
    low = ((0.6 - lid) / 0.5).clamp(0, 1) * (1 - (arc / 0.25) ** 2).clamp(0, 1)
    colour = dark + (tongue - dark) * (0.7 * low)[:, None]
    shine = mouth.teeth * (0.35 + 0.65 * edge * back)[:, None]
    colour = torch.lerp(colour, shine, torch.maximum(upper, 0.85 * lower)[:, None])
    colour = torch.lerp(colour, mouth.teeth.new_tensor([0.36, 0.13, 0.13]), gums[:, None])
    # Lips and cheeks block the light.
    shadow = (0.35 + 1.3 * lid * (1.2 - lid)).clamp(0, 1) * (0.35 + 0.65 * back)
    return colour * shadow[:, None]
