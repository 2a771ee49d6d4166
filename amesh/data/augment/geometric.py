"""Augmentation on the device: one resampling of the source picture, and the same for landmarks.

Convention:
    - the crop is the region of interest that the topology computes from the landmarks, as in
      tracking, rolled, scaled and shifted by the errors of a tracker
    - perspective tilts the crop about its centre: u_image = u / (1 + p . u) in normalised crop
      coordinates, which preserves the centre and directions from it
    - the landmarks of a mirrored face are permuted by the topology's mirror
    - the crop is black outside the picture
    - the augmentation of a sample depends only on its key, not on its batch
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn
from torch.nn.functional import grid_sample

from amesh.data.augment.closure import draw_closure
from amesh.data.augment.config import AugmentConfig
from amesh.data.augment.extremes import draw_extremes
from amesh.data.augment.lids import CloseEyes, Eyes, sources
from amesh.data.augment.photometric import draw, photometric, together
from amesh.data.loading.sample import Batch, Canvas
from amesh.data.random import bell, keys, uniform
from amesh.geometry import affine
from amesh.geometry.coordinates import denormalise
from amesh.topology.scheme import Topology


class Motion(NamedTuple):
    """The transformation between each crop and its picture.

    Attributes:
        image_from_unit: (b, 2, 3) normalised crop coordinates to picture coordinates [px].
        tilt: (b, 2) the vector p of the perspective.
        mirrored: (b,) bool.
        scale: (b,) scale of z [crop px per picture px].
    """

    image_from_unit: Float[Tensor, "b 2 3"]
    tilt: Float[Tensor, "b 2"]
    mirrored: Tensor
    scale: Float[Tensor, " b"]


class Augment(nn.Module):
    """Turns batches of the data loader into batches for the network."""

    mirror: Tensor

    def __init__(
        self, topology: Topology, crop_size: int, config: AugmentConfig | None = None
    ) -> None:
        """Initialises the augmentation for one topology and crop size.

        Args:
            topology: Topology of the landmarks.
            crop_size: Side of the network's input [px].
            config: Ranges of the augmentation; the defaults of `AugmentConfig` if None.
        """
        super().__init__()
        self.crop_size, self.config = crop_size, config or AugmentConfig()
        self.topology = topology
        self.lids = CloseEyes(topology) if self.config.lids else None
        self.register_buffer("mirror", torch.tensor(topology.mirror), persistent=False)

    @torch.no_grad()
    def forward(self, canvas: Canvas, seed: int = 0, epoch: int = 0) -> Batch:
        """Augments a batch; the same seed, epoch and samples give the same result."""
        key = keys(seed, epoch, canvas.index)
        motion = draw_motion(canvas.landmarks, self.topology, self.crop_size, self.config, key)
        points, weight_xy, eyes = canvas.landmarks, canvas.weight_xy, None
        if self.lids is not None:
            eyes = self.lids.find(points, weight_xy, draw_closure(key, self.config.lids))
            points, weight_xy = self.lids.move(points, eyes), self.lids.weigh(weight_xy, eyes)
        landmarks = move_landmarks(points, motion, self.crop_size)
        swap = motion.mirrored[:, None]
        weight_xy = torch.where(swap, weight_xy[:, self.mirror], weight_xy)
        weight_z = torch.where(swap, canvas.weight_z[:, self.mirror], canvas.weight_z)
        landmarks = torch.where(swap[..., None], landmarks[:, self.mirror], landmarks)
        image = self._images(canvas.pictures, motion, eyes, key)
        seen = (~draw_extremes(key, self.config.extreme).lost).to(weight_xy)
        weight_xy, weight_z = weight_xy * seen[:, None], weight_z * seen[:, None]
        return Batch(image, landmarks, weight_xy, weight_z, canvas.face * seen, canvas.index)

    def _images(self, pictures: Tensor, motion: Motion, eyes: Eyes | None, key: Tensor) -> Tensor:
        draws, size = draw(self.config, key), self.crop_size
        if together(pictures):
            return photometric(resample(pictures, motion, size, eyes), self.config, draws)
        # On a CPU, process one picture at a time, and only the part that the crop shows, which
        # stays in cache. With channels last in memory, convolutions train in 3/4 of the time.
        shape = (len(key), 3, size, size)
        images = torch.empty(shape, memory_format=torch.channels_last)
        # Closed lids show skin that may lie beyond the crop.
        room = None if eyes is None else torch.where(eyes.moving, eyes.farthest, 0.0)
        height, width = pictures.shape[-2:]
        shown = bounds(motion, height, width, room)
        moving = [False] * len(key)
        if eyes is not None:
            moving, eyes = eyes.moving.tolist(), eyes.shifted(shown[:, :2].to(eyes.corner.dtype))
        within = motion.image_from_unit.clone()
        within[..., 2] -= shown[:, :2]
        for i, (left, top, right, bottom) in enumerate(shown.tolist()):
            one = slice(i, i + 1)
            own = Motion(within[one], *(values[one] for values in motion[1:]))
            lids = (
                Eyes(*(values[one] for values in eyes)) if eyes is not None and moving[i] else None
            )
            crop = resample(pictures[one, :, top:bottom, left:right], own, size, lids)
            images[one] = photometric(crop, self.config, draws.some(one))
        return images


def draw_motion(
    landmarks: Float[Tensor, "b n 3"],
    topology: Topology,
    crop_size: int,
    config: AugmentConfig,
    key: Int64[Tensor, " b"],
) -> Motion:
    """Draws the crops: around the face, with the errors of a tracker.

    Args:
        landmarks: Landmarks of the faces [picture px].
        topology: Of the landmarks.
        crop_size: Side of the crops [px].
        config: Ranges of the crops.
        key: Keys of the samples.
    """
    region = topology.region_of_interest(landmarks)
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
    flip = torch.where(mirrored, -1.0, 1.0).to(landmarks.dtype)
    first = image_from_unit[..., :1] * flip[:, None, None]
    return Motion(
        torch.cat([first, image_from_unit[..., 1:]], dim=-1), tilt, mirrored, crop_size / size
    )


def bounds(
    motion: Motion, height: int, width: int, room: Float[Tensor, " b"] | None = None
) -> Int64[Tensor, "b 4"]:
    """Returns left, top, right, bottom [px] of what each crop shows; at least one pixel.

    Args:
        motion: The transformation between crops and pictures.
        height: Height of the pictures [px].
        width: Width of the pictures [px].
        room: What is needed around each crop as well [px].
    """
    corners = motion.tilt.new_tensor([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])
    near = 1.0 + (corners * motion.tilt[:, None]).sum(-1, keepdim=True)
    places = affine.apply(motion.image_from_unit, corners / near)  # b 4 2
    size = torch.tensor([width, height], device=places.device)
    around = 0.0 if room is None else room[:, None]
    # Bilinear interpolation needs one more pixel on each side.
    low = ((places.amin(1) - around).floor().long() - 1).clamp_min(0).minimum(size - 1)
    high = ((places.amax(1) + around).ceil().long() + 1).minimum(size).maximum(low + 1)
    return torch.cat([low, high], dim=1)


def resample(
    pictures: UInt8[Tensor, "b 3 H W"], motion: Motion, crop_size: int, eyes: Eyes | None = None
) -> Float[Tensor, "b 3 s s"]:
    """Samples the crops bilinearly; black outside the pictures.

    Args:
        pictures: Source pictures.
        motion: The transformation between crops and pictures.
        crop_size: Side of the crops [px].
        eyes: Eyes to close in the pictures; None leaves them as they are.
    """
    height, width = pictures.shape[-2:]
    # x and y are interleaved along a row, so that every pass runs over whole rows. Products with
    # 2 x 2 matrices, or a last axis of size 2, take several times as long.
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
    if eyes is not None:
        half = places.new_tensor([width / 2, height / 2])
        at = ((places + 1.0) * half).flatten(1, 2)
        places = (sources(at, eyes).view_as(places) / half).sub_(1.0)
    crops = grid_sample(
        pictures.to(places.dtype), places, padding_mode="zeros", align_corners=False
    )
    return crops.mul_(1.0 / 255.0)


def move_landmarks(
    landmarks: Float[Tensor, "b n 3"], motion: Motion, crop_size: int
) -> Float[Tensor, "b n 3"]:
    """Transforms landmarks to crop coordinates [crop px], without permuting mirrored ones."""
    seen = affine.apply(affine.invert(motion.image_from_unit), landmarks[..., :2])
    # The inverse of the tilt has a pole far outside the crop: keep away from it.
    below = (1.0 - (seen * motion.tilt[:, None]).sum(-1, keepdim=True)).clamp_min(0.2)
    z = landmarks[..., 2:] * motion.scale[:, None, None]
    return torch.cat([denormalise(seen / below, crop_size), z], dim=-1)
