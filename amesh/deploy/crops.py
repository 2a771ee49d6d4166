"""The named crops on which every exported network is compared; they come with the package.

A real face cropped in many ways, and pictures without a face: errors of a runtime show on either.
The picture is NASA's portrait of Eileen Collins, in the public domain.
"""

import math
from functools import cache
from importlib import resources
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float32
from PIL import Image
from torch import Tensor

from amesh.geometry import affine, roi, sampling
from amesh.geometry.coordinates import normalise

NAME = "collins-1"  # rename when the set changes: figures of different sets are not comparable

# The face in the picture: centre and side [px], roll [radians].
_CENTRE, _SIDE, _ROLL = (120.1, 120.0), 141.1, 0.171
# Name: shift along and across [sides], scale, further roll [degrees].
_CUTS = {
    "level": (0.0, 0.0, 1.0, 0.0),
    "rolled right": (0.0, 0.0, 1.0, 25.0),
    "rolled left": (0.0, 0.0, 1.0, -40.0),
    "near": (0.0, 0.05, 0.7, 5.0),
    "far": (0.0, 0.0, 1.5, -3.0),
    "shifted": (0.15, -0.1, 1.05, 0.0),
    "half outside": (0.4, 0.2, 1.1, 10.0),
    "upside down": (0.0, 0.0, 1.1, 180.0),
}

# Crops on which the released network's face flag says no face. In particular, half a face or one
# upside down, on which other networks' landmarks are off by as much as the distance of the eyes.
_WITHOUT = frozenset(("half outside", "upside down", "black", "white", "gradient", "noise"))


class Crops(NamedTuple):
    """Crops of one size.

    Attributes:
        names: One per crop.
        images: RGB in [0, 1].
    """

    names: tuple[str, ...]
    images: Float32[np.ndarray, "b s s 3"]


@cache
def parity_crops(size: int) -> Crops:
    """Returns the set at one size. It is cached, so do not modify it.

    Args:
        size: Side of a crop [px].
    """
    level = _cut(size, *_CUTS["level"])
    crops = {name: _cut(size, *cut) for name, cut in _CUTS.items()}
    ramp = np.linspace(0, 1, size)
    crops |= {
        "mirrored": level[:, ::-1],
        "dark": level * 0.2,
        "bright": 1 - (1 - level) * 0.3,
        "grey": np.repeat(level.mean(-1, keepdims=True), 3, axis=-1),
        "red light": level * (1.0, 0.4, 0.3),
        "black": np.zeros((size, size, 3)),
        "white": np.ones((size, size, 3)),
        "gradient": np.stack(np.broadcast_arrays(ramp, ramp[:, None], 0.5), axis=-1),
        # RandomState promises the same numbers in all versions.
        "noise": np.random.RandomState(0).uniform(size=(size, size, 3)),
    }
    images = np.stack(list(crops.values())).astype(np.float32)
    return Crops(tuple(crops), images)


def upright_faces(size: int) -> Crops:
    """Returns the set's whole faces that are rotated by at most 40 degrees.

    Args:
        size: Side of a crop [px].
    """
    names, images = parity_crops(size)
    kept = [i for i, name in enumerate(names) if name not in _WITHOUT]
    return Crops(tuple(names[i] for i in kept), images[kept])


def without_black(size: int) -> Crops:
    """Returns the set without the black crop.

    The short-range detector answers it with numbers of five digits, whose rounding alone exceeds
    the tolerance.

    Args:
        size: Side of a crop [px].
    """
    names, images = parity_crops(size)
    kept = [i for i, name in enumerate(names) if name != "black"]
    return Crops(tuple(names[i] for i in kept), images[kept])


@cache
def _picture() -> Tensor:
    file = resources.files("amesh.deploy") / "data" / "collins.jpg"
    with file.open("rb") as opened, Image.open(opened) as image:
        pixels = np.array(image.convert("RGB"), dtype=np.float32)
    return torch.from_numpy(pixels / 255).permute(2, 0, 1)[None]  # h w 3 -> 1 3 h w


def _cut(
    size: int, along: float, across: float, scale: float, roll: float
) -> Float32[np.ndarray, "s s 3"]:
    picture = _picture()
    centre = torch.tensor([_CENTRE]) + torch.tensor([[along, across]]) * _SIDE
    angle = torch.tensor([_ROLL + math.radians(roll)])
    square = roi.Roi(centre, torch.tensor([_SIDE * scale]), angle)
    corners = torch.tensor([[[0.0, 0.0], [size, 0.0], [0.0, size]]])
    placed = affine.apply(roi.image_from_crop(square, size), corners)
    origin, right, down = normalise(placed, picture.shape[-1])[0]
    # theta takes (-1, -1), (1, -1) and (-1, 1) to the square's corners.
    x_axis, y_axis = (right - origin) / 2, (down - origin) / 2
    theta = torch.stack([x_axis, y_axis, origin + x_axis + y_axis], dim=-1)[None]
    crop: np.ndarray = sampling.gather(picture, theta, size)[0].permute(1, 2, 0).numpy()
    return crop
