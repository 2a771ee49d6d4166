"""Where a head is and what the camera sees of it.

Convention: the camera is at the origin and looks along z; x right, y down. A head turned by yaw
looks to the image's right, by pitch down, and rolled it leans clockwise on the screen.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from amesh.data import random
from amesh.synth.config import SynthConfig

# The template's own frame looks up a little: people in pictures nod by this [degrees], measured.
_NOD = 5.5


class Pose(NamedTuple):
    """Of the heads of a batch.

    Attributes:
        head: (b, 3, 3) camera's frame from the head's.
        body: (b, 3, 3) the same for the shoulders.
        fov: (b,) angle the picture's side spans [radians].
        face: (b,) longer side of the face's box over the picture's.
        shift: (b, 2) of the box's middle from the picture's [sides].
    """

    head: Float[Tensor, "b 3 3"]
    body: Float[Tensor, "b 3 3"]
    fov: Float[Tensor, " b"]
    face: Float[Tensor, " b"]
    shift: Float[Tensor, "b 2"]


class Camera(NamedTuple):
    """A perspective camera.

    Attributes:
        distance: (b,) of the head's origin [units of the head].
        focal: (b,) [px].
        middle: (b, 2) where its axis meets the picture [px].
    """

    distance: Float[Tensor, " b"]
    focal: Float[Tensor, " b"]
    middle: Float[Tensor, "b 2"]

    def project(self, points: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n 2"]:
        """Points of the camera's frame in the picture [px]."""
        xy = points[..., :2] / points[..., 2:].clamp(min=0.05)
        return xy * self.focal[:, None, None] + self.middle[:, None]

    def landmarks(self, points: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n 3"]:
        """Points in the picture with depth in its unit: 0 at the head's origin [px]."""
        unit = (self.focal / self.distance)[:, None, None]
        z = (points[..., 2:] - self.distance[:, None, None]) * unit
        return torch.cat([self.project(points), z], -1)


def draw_pose(key: Int64[Tensor, " b"], config: SynthConfig) -> Pose:
    """Poses and cameras; most heads look about ahead."""
    limits = torch.tensor([config.yaw, config.pitch, config.roll], device=key.device)
    angles = torch.deg2rad(limits) * random.bell(key, "pose", [3])
    angles = angles + angles.new_tensor([0.0, math.radians(_NOD), 0.0])
    loose = 0.12 * random.bell(key, "body", [3])
    # Shoulders follow the head by a part.
    body = angles * angles.new_tensor([0.35, 0.2, 0.3]) + loose
    low, high = (torch.tensor(v, device=key.device).deg2rad().log() for v in config.fov)
    draw = random.uniform(key, "camera", [2])
    face = config.face[0] + (config.face[1] - config.face[0]) * draw[:, 1]
    shift = config.shift * (2 * random.uniform(key, "shift", [2]) - 1)
    fov = (low + (high - low) * draw[:, 0]).exp()
    return Pose(rotation(angles), rotation(body), fov, face, shift)


def rotation(angles: Float[Tensor, "b 3"]) -> Float[Tensor, "b 3 3"]:
    """Rotation matrices of yaw, pitch and roll [radians]; pitch first, roll last."""
    (a, b, c), (d, e, f) = angles.cos().unbind(1), angles.sin().unbind(1)
    o, i = torch.zeros_like(a), torch.ones_like(a)
    yaw = torch.stack([a, o, -d, o, i, o, d, o, a], 1).view(-1, 3, 3)
    pitch = torch.stack([i, o, o, o, b, -e, o, e, b], 1).view(-1, 3, 3)
    roll = torch.stack([c, -f, o, f, c, o, o, o, i], 1).view(-1, 3, 3)
    return roll @ yaw @ pitch


def rotate(
    matrix: Float[Tensor, "b 3 3"], points: Float[Tensor, "b n 3"]
) -> Float[Tensor, "b n 3"]:
    """Points turned, by hand: a product of matrices may round differently in another batch."""
    return (matrix[:, None] * points[:, :, None]).sum(-1)


def frame(points: Float[Tensor, "b n 3"], pose: Pose, size: int) -> Camera:
    """The camera that shows the points as large, and where, the pose says.

    Args:
        points: Of the face, turned, its origin at 0.
        pose: See there.
        size: Side of the picture [px].
    """
    extent = (points[..., :2].amax(1) - points[..., :2].amin(1)).amax(1)
    distance = extent / pose.face / (2 * (pose.fov / 2).tan())
    # Never nearer than arm's length of a child: the nose would fill the picture.
    distance = distance.clamp(min=2.2)
    zero = torch.zeros_like(points[:, 0, :2])
    away = points + torch.cat([zero, distance[:, None]], 1)[:, None]
    seen = Camera(distance, torch.ones_like(distance), zero).project(away)
    low, high = seen.amin(1), seen.amax(1)
    focal = size * pose.face / (high - low).amax(1)
    middle = size * (0.5 + pose.shift) - focal[:, None] * (low + high) / 2
    return Camera(distance, focal, middle)
