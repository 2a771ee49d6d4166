"""Second views of crops: the same face as the next frame of a clip would show it.

In a clip, a still face moves by parts of a pixel from frame to frame, and noise and compression
change. A network whose landmarks follow any of these jitters. Training on two views of a face
reduces that: see `amesh.losses.consistency`.
"""

import math
from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from amesh.data.augment.config import NO_AUGMENTATION
from amesh.data.augment.photometric import draw, photometric
from amesh.data.random import bell, fork

# Largest differences from the first view, small ones being more likely: what separates two frames
# of a face that hardly moves.
_SHIFT = 0.02  # [sides of the crop]
_TURN = math.radians(2.0)
_SCALE = 0.02  # as a logarithm
_SENSOR = replace(
    NO_AUGMENTATION,
    gain=0.05,
    noise=0.02,
    blur_chance=0.2,
    blur=0.7,
    compression_chance=0.5,
    compression=0.05,
)


class SecondView(NamedTuple):
    """Crops that show the faces of other crops again.

    Attributes:
        image: (b, 3, s, s) RGB in [0, 1].
        first_from_second: (b, 2, 3) coordinates of these crops to those of the others [px].
    """

    image: Float[Tensor, "b 3 s s"]
    first_from_second: Float[Tensor, "b 2 3"]


@torch.no_grad()
def second_view(image: Float[Tensor, "b 3 s s"], key: Int64[Tensor, " b"]) -> SecondView:
    """Moves crops by a pixel or so, and adds a sensor's noise.

    Args:
        image: The first views, RGB in [0, 1].
        key: One key per sample, from `amesh.data.random.keys`.
    """
    key, side = fork(key, "second view"), image.shape[-1]
    bells = bell(key, "motion", (4,))
    turn, size = bells[:, 0] * _TURN, torch.exp(bells[:, 1] * _SCALE)
    cos, sin = size * turn.cos(), size * turn.sin()
    shift = 2.0 * _SHIFT * bells[:, 2:]  # normalised coordinates span two units
    theta = torch.stack([cos, -sin, shift[:, 0], sin, cos, shift[:, 1]], dim=-1)
    theta = theta.unflatten(-1, (2, 3)).to(image)
    grid = affine_grid(theta, list(image.shape), align_corners=False)
    moved = grid_sample(image.contiguous(), grid, padding_mode="border", align_corners=False)
    seen = photometric(moved, _SENSOR, draw(_SENSOR, key))
    # In pixels, the rotation is about the middle of the crop.
    linear, middle = theta[..., :2], side / 2
    offset = theta[..., 2] * middle + middle - middle * linear.sum(-1)
    matrix = torch.cat([linear, offset[..., None]], dim=-1)
    # With channels last in memory, convolutions train faster on a CPU.
    return SecondView(seen.contiguous(memory_format=torch.channels_last), matrix)
