"""Looks at one face: crops that differ a little, half of them mirrored, and the way back.

Convention:
    - a look is the face's region of interest moved, scaled and turned about its centre; shifts are
      in sides of the region, along its own axes
    - looks are a factorial design: shift along x, shift along y, scale, turn and mirror each take
      one of two values, each value equally often with each value of the others; what a network's
      answer has in proportion to any of them cancels in the mean
    - a mirrored look is of another face: its landmarks change places by the topology's mirror
"""

import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from amesh.errors import UserError
from amesh.geometry import affine
from amesh.geometry.roi import Roi, image_from_crop

# Which looks of the full design are taken: those where the product of these factors is 1.
_FRACTIONS: dict[int, tuple[tuple[int, ...], ...]] = {
    8: ((0, 1, 2, 3), (0, 1, 4)),
    16: ((0, 1, 2, 3, 4),),
    32: (),
}


@dataclass(frozen=True)
class ViewConfig:
    """How a face is looked at.

    Eyes and irises come from looks of their own that are closer, so that they have more pixels:
    against people's labels irises are 9 % and eye corners 6 % nearer than from looks at the whole
    face; closer still, and eyes in half-profiles are worse. Wider ranges make profiles worse, and
    more than 8 looks gain nothing.

    Attributes:
        count: Looks at the whole face, and as many at the eyes: 8, 16 or 32.
        shift: Shift along each axis, either way [sides of the region].
        scale: Change of the region's side, either way, as a logarithm.
        rotation: Turn either way [degrees].
        eyes: Side of the region for the eyes over that for the face.
    """

    count: int = 8
    shift: float = 0.025
    scale: float = 0.03
    rotation: float = 5.0
    eyes: float = 1.3 / 1.5

    def __post_init__(self) -> None:
        if self.count not in _FRACTIONS:
            known = ", ".join(map(str, _FRACTIONS))
            raise UserError(f"{self.count} views: expected one of {known}, which can be balanced")


class Views(NamedTuple):
    """Looks at one face.

    Attributes:
        image_from_crop: (v, 2, 3); a mirrored look has a reflection in it.
        scale: (v,) [picture px per crop px], for z.
        mirrored: (v,).
    """

    image_from_crop: Float[Tensor, "v 2 3"]
    scale: Float[Tensor, " v"]
    mirrored: Bool[Tensor, " v"]


def design(count: int) -> Float[Tensor, "v 5"]:
    """-1 or 1 for shift along x, along y, scale, turn and mirror of each look."""
    full = np.array(list(itertools.product((-1.0, 1.0), repeat=5)))
    for factors in _FRACTIONS[count]:
        full = full[full[:, list(factors)].prod(1) > 0]
    return torch.from_numpy(full)


def make_views(roi: Roi, config: ViewConfig, crop_size: int, closer: float = 1.0) -> Views:
    """The looks at one face.

    Args:
        roi: The face's region, a batch of one, double precision.
        config: How far they differ.
        crop_size: Side of the network's input [px].
        closer: Times the side of the region.
    """
    signs = design(config.count)
    mirrored = signs[:, 4] > 0
    size = roi.size * closer
    cos, sin = roi.angle.cos(), roi.angle.sin()
    axes = torch.cat([torch.stack([cos, sin], dim=1), torch.stack([-sin, cos], dim=1)])
    centre = roi.centre + (signs[:, :2] * (config.shift * size)) @ axes
    side = size * (signs[:, 2] * config.scale).exp()
    angle = roi.angle + signs[:, 3] * math.radians(config.rotation)
    plain = image_from_crop(Roi(centre, side, angle), crop_size)
    flip = plain.new_tensor([[-1.0, 0.0, crop_size], [0.0, 1.0, 0.0]]).expand_as(plain)
    chosen = torch.where(mirrored[:, None, None], affine.compose(plain, flip), plain)
    return Views(chosen, side / crop_size, mirrored)


def to_picture(
    landmarks: Float[Tensor, "v n 3"], views: Views, mirror: Int64[Tensor, " n"]
) -> Float[Tensor, "v n 3"]:
    """What the network saw in each look, in picture coordinates and in the order of landmarks.

    Args:
        landmarks: Its answers [crop px].
        views: The looks.
        mirror: Landmark that each one becomes in a mirrored picture.
    """
    xy = affine.apply(views.image_from_crop, landmarks[..., :2].double())
    z = landmarks[..., 2:].double() * views.scale[:, None, None]
    points = torch.cat([xy, z], dim=-1)
    return torch.where(views.mirrored[:, None, None], points[:, mirror], points)
