"""Views of one face: slightly different crops, half of them mirrored, and the way back.

Convention:
    - a view is the face's region of interest, shifted, scaled and rotated about its centre; shifts
      are in sides of the region, along its own axes
    - views form a factorial design: x shift, y shift, scale, rotation and mirroring each take one
      of two values, each value equally often with each value of the others, so errors that are
      linear in any of these factors cancel in the mean
    - a mirrored view shows the mirrored face, so its landmarks are permuted by the topology's
      mirror
"""

import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from amesh.errors import UserError
from amesh.geometry import affine
from amesh.geometry.roi import Roi, image_from_crop

# Fractions of the full design: the views for which the product of these factors is 1.
_FRACTIONS: dict[int, tuple[tuple[int, ...], ...]] = {
    8: ((0, 1, 2, 3), (0, 1, 4)),
    16: ((0, 1, 2, 3, 4),),
    32: (),
}


@dataclass(frozen=True)
class ViewConfig:
    """Which views of a face the networks get.

    Eyes and irises come from closer views of their own, which show them in more pixels. Against
    manual annotations, this lowers the error of irises by 9 % and of eye corners by 6 %; closer
    still, eyes in half-profiles get worse. Wider ranges make profiles worse, and more than 8 views
    gain nothing.

    Attributes:
        count: Views of the whole face, and as many of the eyes: 8, 16 or 32.
        shift: Shift along each axis, in either direction [sides of the region].
        scale: Change of the region's side, in either direction, as a logarithm.
        rotation: Rotation in either direction [degrees].
        eyes: Side of the region for the eyes relative to that for the face.
    """

    count: int = 8
    shift: float = 0.025
    scale: float = 0.03
    rotation: float = 5.0
    eyes: float = 1.3 / 1.5

    def __post_init__(self) -> None:
        if self.count not in _FRACTIONS:
            known = ", ".join(map(str, _FRACTIONS))
            raise UserError(f"{self.count} views: expected one of {known} for a balanced design")


class Views(NamedTuple):
    """Views of one face.

    Attributes:
        image_from_crop: (v, 2, 3); for a mirrored view it includes the reflection.
        scale: (v,) [picture px per crop px], for z.
        mirrored: (v,) whether a view is mirrored.
    """

    image_from_crop: Float[np.ndarray, "v 2 3"]
    scale: Float[np.ndarray, " v"]
    mirrored: Bool[np.ndarray, " v"]


def design(count: int) -> Float[np.ndarray, "v 5"]:
    """-1 or 1 for x shift, y shift, scale, rotation and mirroring of each view."""
    full = np.array(list(itertools.product((-1.0, 1.0), repeat=5)))
    for factors in _FRACTIONS[count]:
        full = full[full[:, list(factors)].prod(1) > 0]
    return full


def make_views(roi: Roi, config: ViewConfig, crop_size: int, closer: float = 1.0) -> Views:
    """Makes the views of one face.

    Args:
        roi: The face's region, a batch of one, in NumPy.
        config: How far the views differ.
        crop_size: Side of the network's input [px].
        closer: Factor for the region's side.
    """
    signs = design(config.count)
    mirrored = signs[:, 4] > 0
    size = roi.size * closer
    [cos], [sin] = np.cos(roi.angle), np.sin(roi.angle)
    axes = np.array([[cos, sin], [-sin, cos]])
    centre = roi.centre + (signs[:, :2] * (config.shift * size)) @ axes
    side = size * np.exp(signs[:, 2] * config.scale)
    angle = roi.angle + signs[:, 3] * math.radians(config.rotation)
    plain = image_from_crop(Roi(centre, side, angle), crop_size)
    flip = np.broadcast_to([[-1.0, 0.0, crop_size], [0.0, 1.0, 0.0]], plain.shape)
    mirror_image: np.ndarray = affine.compose(plain, flip)
    chosen = np.where(mirrored[:, None, None], mirror_image, plain)
    return Views(chosen, side / crop_size, mirrored)


def to_picture(
    landmarks: Float[np.ndarray, "v n 3"], views: Views, mirror: Int[np.ndarray, " n"]
) -> Float[np.ndarray, "v n 3"]:
    """Maps the landmarks predicted in each view to the picture, and undoes the mirroring.

    Args:
        landmarks: The network's predictions [crop px].
        views: The views.
        mirror: For each landmark, the one that it becomes in a mirrored picture.
    """
    xy = affine.apply(views.image_from_crop, landmarks[..., :2])
    z = landmarks[..., 2:] * views.scale[:, None, None]
    points = np.concatenate([xy, z], axis=-1)
    return np.where(views.mirrored[:, None, None], points[:, mirror], points)
