"""The poses of heads, and the cameras.

Convention: the camera is at the origin and looks along z; x right, y down. Positive yaw turns a
head to the image's right, positive pitch down, and positive roll clockwise on the screen.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from amesh.data import random
from amesh.synth.config import SynthConfig

# Mean pitch of people in pictures relative to the template, which looks up slightly [degrees].
_NOD = 5.5
# Largest turn of a head seen from behind to either side; no eye is seen [degrees].
_AWAY = 55.0


class Pose(NamedTuple):
    """The poses of the heads of a batch, and their positions in the picture.

    Attributes:
        head: (b, 3, 3) rotation from the head's frame to the camera's.
        body: (b, 3, 3) the same for the shoulders.
        fov: (b,) angle that the picture's side spans [radians].
        face: (b,) ratio of the face's box (longer side) to the picture's side.
        shift: (b, 2) offset of the box's centre from the picture's [sides].
    """

    head: Float[Tensor, "b 3 3"]
    body: Float[Tensor, "b 3 3"]
    fov: Float[Tensor, " b"]
    face: Float[Tensor, " b"]
    shift: Float[Tensor, "b 2"]


class Camera(NamedTuple):
    """A perspective camera.

    Attributes:
        distance: (b,) distance of the head's origin [units of the head].
        focal: (b,) focal length [px].
        middle: (b, 2) principal point [px].
    """

    distance: Float[Tensor, " b"]
    focal: Float[Tensor, " b"]
    middle: Float[Tensor, "b 2"]

    def project(self, points: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n 2"]:
        """Projects points in the camera's frame to the picture [px]."""
        xy = points[..., :2] / points[..., 2:].clamp(min=0.05)
        return xy * self.focal[:, None, None] + self.middle[:, None]

    def landmarks(self, points: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n 3"]:
        """Projects points, with depth in the picture's unit, 0 at the head's origin [px]."""
        unit = (self.focal / self.distance)[:, None, None]
        z = (points[..., 2:] - self.distance[:, None, None]) * unit
        return torch.cat([self.project(points), z], -1)


def draw_pose(key: Int64[Tensor, " b"], config: SynthConfig) -> Pose:
    """Draws poses and cameras; most heads look roughly ahead."""
    limits = torch.tensor([config.yaw, config.pitch, config.roll], device=key.device)
    angles = torch.deg2rad(limits) * random.bell(key, "pose", [3])
    angles = angles + angles.new_tensor([0.0, math.radians(_NOD), 0.0])
    behind = from_behind(key, config)
    angles[:, 0] *= torch.where(behind, _AWAY / max(config.yaw, _AWAY), 1.0)
    loose = 0.12 * random.bell(key, "body", [3])
    # The shoulders follow the head partly.
    body = angles * angles.new_tensor([0.35, 0.2, 0.3]) + loose
    angles[:, 0] += math.pi * behind
    body[:, 0] += math.pi * behind
    low, high = (torch.tensor(v, device=key.device).deg2rad().log() for v in config.fov)
    draw = random.uniform(key, "camera", [2])
    face = config.face[0] + (config.face[1] - config.face[0]) * draw[:, 1]
    shift = config.shift * (2 * random.uniform(key, "shift", [2]) - 1)
    fov = (low + (high - low) * draw[:, 0]).exp()
    return Pose(rotation(angles), rotation(body), fov, face, shift)


def from_behind(key: Int64[Tensor, " b"], config: SynthConfig) -> Bool[Tensor, " b"]:
    """Draws which heads show their back."""
    return random.uniform(key, "behind") < config.behind


def rotation(angles: Float[Tensor, "b 3"]) -> Float[Tensor, "b 3 3"]:
    """Returns rotation matrices of yaw, pitch and roll [radians]; pitch is applied first."""
    (a, b, c), (d, e, f) = angles.cos().unbind(1), angles.sin().unbind(1)
    o, i = torch.zeros_like(a), torch.ones_like(a)
    yaw = torch.stack([a, o, -d, o, i, o, d, o, a], 1).view(-1, 3, 3)
    pitch = torch.stack([i, o, o, o, b, -e, o, e, b], 1).view(-1, 3, 3)
    roll = torch.stack([c, -f, o, f, c, o, o, o, i], 1).view(-1, 3, 3)
    return roll @ yaw @ pitch


def rotate(
    matrix: Float[Tensor, "b 3 3"], points: Float[Tensor, "b n 3"]
) -> Float[Tensor, "b n 3"]:
    """Rotates points, without a matrix product, whose rounding may depend on the batch."""
    return (matrix[:, None] * points[:, :, None]).sum(-1)


def frame(points: Float[Tensor, "b n 3"], pose: Pose, size: int) -> Camera:
    """Returns the camera that shows the points with the size and position given by the pose.

    Args:
        points: Points of the rotated face, with its origin at 0.
        pose: Poses, and positions in the picture.
        size: Side of the picture [px].
    """
    extent = (points[..., :2].amax(1) - points[..., :2].amin(1)).amax(1)
    distance = extent / pose.face / (2 * (pose.fov / 2).tan())
    # Not nearer than a child's arm's length, where the nose would fill the picture.
    distance = distance.clamp(min=2.2)
    zero = torch.zeros_like(points[:, 0, :2])
    away = points + torch.cat([zero, distance[:, None]], 1)[:, None]
    seen = Camera(distance, torch.ones_like(distance), zero).project(away)
    low, high = seen.amin(1), seen.amax(1)
    focal = size * pose.face / (high - low).amax(1)
    middle = size * (0.5 + pose.shift) - focal[:, None] * (low + high) / 2
    return Camera(distance, focal, middle)
