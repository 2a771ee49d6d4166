"""Augmentation on the device: one resample from the source picture, landmarks by the same motion.

Convention:
    - the crop is the region of interest of `amesh.geometry.roi`, from the landmarks, as tracking
      takes it, then moved as a tracker errs: rolled, scaled, shifted
    - perspective tilts the crop about its centre: u_image = u / (1 + p . u) in normalised crop
      coordinates, so the centre and the directions through it stay
    - a mirrored face is another face: its landmarks change places by the topology's mirror
    - outside the picture the crop is black
    - what happens to a sample depends on its key alone, not on its batch
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn
from torch.nn.functional import grid_sample

from amesh.data.augment.config import AugmentConfig
from amesh.data.augment.photometric import draw, photometric, together
from amesh.data.loading.sample import Batch, Canvas
from amesh.data.random import bell, keys, uniform
from amesh.geometry import affine, roi
from amesh.geometry.coordinates import denormalise
from amesh.geometry.picking import pick
from amesh.topology.scheme import Topology


class Motion(NamedTuple):
    """Where each crop lies in its picture.

    Attributes:
        image_from_unit: (b, 2, 3) normalised crop coordinates to picture coordinates [px].
        tilt: (b, 2) the p of the perspective.
        mirrored: (b,) bool.
        scale: (b,) [crop px per picture px], for z.
    """

    image_from_unit: Float[Tensor, "b 2 3"]
    tilt: Float[Tensor, "b 2"]
    mirrored: Tensor
    scale: Float[Tensor, " b"]


class Augment(nn.Module):
    """Turns what the loader gives into what the network trains on."""

    mirror: Tensor

    def __init__(
        self, topology: Topology, crop_size: int, config: AugmentConfig | None = None
    ) -> None:
        """Prepares for one topology and one crop size.

        Args:
            topology: Of the landmarks.
            crop_size: Side of the network's input [px].
            config: Defaults to the default ranges.
        """
        super().__init__()
        self.crop_size, self.config = crop_size, config or AugmentConfig()
        self.anchors, self.roi_rule = topology.anchors, topology.landmark_rule
        self.register_buffer("mirror", torch.tensor(topology.mirror), persistent=False)

    @torch.no_grad()
    def forward(self, canvas: Canvas, seed: int = 0, epoch: int = 0) -> Batch:
        """One batch; the same seed, epoch and samples give the same batch."""
        key = keys(seed, epoch, canvas.index)
        motion = draw_motion(
            canvas.landmarks, self.anchors, self.crop_size, self.config, key, self.roi_rule
        )
        landmarks = move_landmarks(canvas.landmarks, motion, self.crop_size)
        swap = motion.mirrored[:, None]
        weight_xy = torch.where(swap, canvas.weight_xy[:, self.mirror], canvas.weight_xy)
        weight_z = torch.where(swap, canvas.weight_z[:, self.mirror], canvas.weight_z)
        landmarks = torch.where(swap[..., None], landmarks[:, self.mirror], landmarks)
        image = self._images(canvas.pictures, motion, key)
        return Batch(image, landmarks, weight_xy, weight_z, canvas.face, canvas.index)

    def _images(self, pictures: Tensor, motion: Motion, key: Tensor) -> Tensor:
        draws, size = draw(self.config, key), self.crop_size
        if together(pictures):
            return photometric(resample(pictures, motion, size), self.config, draws)
        # One at a time, and only what the crop shows: that stays in a CPU's cache. Channels go
        # last in memory, because so a CPU's convolutions train in three quarters of the time.
        shape = (len(key), 3, size, size)
        images = torch.empty(shape, memory_format=torch.channels_last)
        shown = bounds(motion, *pictures.shape[-2:])
        within = motion.image_from_unit.clone()
        within[..., 2] -= shown[:, :2]
        for i, (left, top, right, bottom) in enumerate(shown.tolist()):
            one = slice(i, i + 1)
            own = Motion(within[one], *(values[one] for values in motion[1:]))
            crop = resample(pictures[one, :, top:bottom, left:right], own, size)
            images[one] = photometric(crop, self.config, draws.some(one))
        return images


def draw_motion(
    landmarks: Float[Tensor, "b n 3"],
    anchors: tuple[int, int],
    crop_size: int,
    config: AugmentConfig,
    key: Int64[Tensor, " b"],
    rule: roi.Rule = roi.WHOLE_FACE,
) -> Motion:
    """Where to cut: around the face, off as a tracker is."""
    points = landmarks[..., :2]
    region = roi.from_landmarks(points, pick(points, anchors), rule)
    bells = bell(key, "motion", (6,))
    turn = bells[:, 0] * math.radians(config.rotation)
    size = region.size * torch.exp(bells[:, 1] * config.scale)
    angle = region.angle + turn
    shift = bells[:, 2:4] * config.shift * region.size[:, None]
    tilt = bells[:, 4:6] * config.perspective
    mirrored = uniform(key, "mirror") < config.mirror
    direction = torch.stack([angle.cos(), angle.sin()], dim=-1)
    half = (size / 2)[:, None].expand(-1, 2)
    image_from_unit = affine.similarity(region.centre + shift, direction, half)
    flip = torch.where(mirrored, -1.0, 1.0).to(points.dtype)
    first = image_from_unit[..., :1] * flip[:, None, None]
    return Motion(
        torch.cat([first, image_from_unit[..., 1:]], dim=-1), tilt, mirrored, crop_size / size
    )


def bounds(motion: Motion, height: int, width: int) -> Int64[Tensor, "b 4"]:
    """Left, top, right, bottom [px] of what the crops show of their pictures; at least a pixel.

    Args:
        motion: Where they lie.
        height: Of the pictures [px].
        width: Of the pictures [px].
    """
    corners = motion.tilt.new_tensor([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])
    near = 1.0 + (corners * motion.tilt[:, None]).sum(-1, keepdim=True)
    places = affine.apply(motion.image_from_unit, corners / near)  # b 4 2
    size = torch.tensor([width, height], device=places.device)
    # A pixel more on each side, for the neighbours that bilinear reading looks at.
    low = (places.amin(1).floor().long() - 1).clamp_min(0).minimum(size - 1)
    high = (places.amax(1).ceil().long() + 1).minimum(size).maximum(low + 1)
    return torch.cat([low, high], dim=1)


def resample(
    pictures: UInt8[Tensor, "b 3 H W"], motion: Motion, crop_size: int
) -> Float[Tensor, "b 3 s s"]:
    """Cuts the crops, bilinear, black outside.

    Args:
        pictures: What to cut from.
        motion: Where.
        crop_size: Side [px].
    """
    height, width = pictures.shape[-2:]
    # x and y take turns along a row, so that every pass runs over whole rows. Products with 2 x 2
    # matrices, or a last axis of two, take several times as long.
    steps = (2.0 * torch.arange(crop_size, device=motion.tilt.device) + 1.0) / crop_size - 1.0
    u, v = steps.repeat_interleave(2), steps[:, None]  # 2s, s 1
    tilt = motion.tilt[..., None, None]
    near = (tilt[:, 0] * u + tilt[:, 1] * v).add_(1.0).reciprocal_()  # b s 2s
    x, y = motion.image_from_unit.split(1, dim=1)
    matrix = torch.cat([x * (2.0 / width), y * (2.0 / height)], dim=1)  # b 2 3
    matrix = matrix.repeat(1, crop_size, 1)[:, None]
    along, down, shift = matrix.unbind(-1)  # b 1 2s
    places = torch.addcmul(along * u, down, v)
    places = torch.addcmul(shift - 1.0, places, near).unflatten(-1, (crop_size, 2))
    crops = grid_sample(
        pictures.to(places.dtype), places, padding_mode="zeros", align_corners=False
    )
    return crops.mul_(1.0 / 255.0)


def move_landmarks(
    landmarks: Float[Tensor, "b n 3"], motion: Motion, crop_size: int
) -> Float[Tensor, "b n 3"]:
    """Picture coordinates to crop coordinates [crop px]; not yet permuted for a mirrored face."""
    seen = affine.apply(affine.invert(motion.image_from_unit), landmarks[..., :2])
    # The inverse of the tilt; far outside the crop it has a pole, which nothing may come near.
    below = (1.0 - (seen * motion.tilt[:, None]).sum(-1, keepdim=True)).clamp_min(0.2)
    z = landmarks[..., 2:] * motion.scale[:, None, None]
    return torch.cat([denormalise(seen / below, crop_size), z], dim=-1)
