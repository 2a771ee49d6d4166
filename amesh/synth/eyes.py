"""Eyeballs and gaze.

Convention: an eyeball is a sphere behind its opening; its gaze is the unit vector from its centre
to the centre of the iris, (0, 0, -1) if it looks straight ahead. The iris is a disc cut from the
sphere.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from amesh.data import random
from amesh.synth.noise import Noise

# An iris is 11.7 mm wide, an eyeball 24 mm, and the outer corners of the eyes are 87 mm apart.
BALL, IRIS = 0.140, 0.0685


class Eyes(NamedTuple):
    """Both eyeballs of each face, right one first, in the frame of the face.

    Attributes:
        centre: (b, 2, 3).
        radius: (b,) radius of the eyeballs.
        iris: (b,) radius of the irises.
        axes: (b, 2, 3, 3) rows: to the image's right, up, along the gaze.
    """

    centre: Float[Tensor, "b 2 3"]
    radius: Float[Tensor, " b"]
    iris: Float[Tensor, " b"]
    axes: Float[Tensor, "b 2 3 3"]

    def points(self) -> Float[Tensor, "b 2 5 3"]:
        """Returns each iris's centre, then its right, top, left and bottom edge in the image."""
        depth = (self.radius**2 - self.iris**2).sqrt()[:, None, None]
        middle = self.centre + depth * self.axes[:, :, 2]
        across, up = (self.iris[:, None, None] * self.axes[:, :, i] for i in (0, 1))
        places = [middle, middle + across, middle + up, middle - across, middle - up]
        return torch.stack(places, 2)


def look(eyes: Eyes, yaw: Float[Tensor, "b 2"], pitch: Float[Tensor, "b 2"]) -> Eyes:
    """Rotates the eyes: yaw to the image's right, pitch up [radians]."""
    zero = torch.zeros_like(yaw)
    right = torch.stack([yaw.cos(), zero, yaw.sin()], -1)
    ahead = torch.stack([yaw.sin() * pitch.cos(), -pitch.sin(), -yaw.cos() * pitch.cos()], -1)
    up = torch.linalg.cross(ahead, right)
    up = up * torch.where(up[..., 1:2] > 0, -1.0, 1.0)
    return eyes._replace(axes=torch.stack([right, up, ahead], -2))


class IrisColours(NamedTuple):
    """The colours of the eyes of each face.

    Attributes:
        outer: (b, 3) linear RGB at the rim of the iris.
        inner: (b, 3) near the pupil.
        white: (b, 3) of the sclera.
        pupil: (b,) ratio of the pupil's radius to the iris's.
        seed: (b, 2) position of the fibres in the noise.
    """

    outer: Float[Tensor, "b 3"]
    inner: Float[Tensor, "b 3"]
    white: Float[Tensor, "b 3"]
    pupil: Float[Tensor, " b"]
    seed: Float[Tensor, "b 2"]


def draw_colours(key: Int64[Tensor, " b"]) -> IrisColours:
    """Draws the colours of eyes: mostly brown, then blue, grey and green."""
    kinds = torch.tensor(
        [[0.055, 0.025, 0.012], [0.13, 0.06, 0.025], [0.07, 0.10, 0.15], [0.08, 0.095, 0.095],
         [0.07, 0.08, 0.04]],
        device=key.device,
    )  # fmt: skip
    draw = random.uniform(key, "iris", [6])
    place = torch.tensor([0.50, 0.74, 0.85, 0.93], device=key.device)
    base = kinds[torch.bucketize(draw[:, 0].contiguous(), place)]
    base = base * (0.6 + 0.9 * draw[:, 1:2])
    inner = base * (0.8 + 1.0 * draw[:, 2:3]) + base.new_tensor([0.03, 0.012, 0.0])
    white = base.new_tensor([0.43, 0.38, 0.355]) * (0.6 + 0.5 * draw[:, 3:4])
    return IrisColours(
        base * 0.75, inner, white, 0.22 + 0.33 * draw[:, 4], random.uniform(key, "fibres", [2])
    )


def shade(
    direction: Float[Tensor, "p 3"],
    centre: Float[Tensor, "p 3"],
    radius: Float[Tensor, " p"],
    iris: Float[Tensor, " p"],
    axes: Float[Tensor, "p 3 3"],
    colours: IrisColours,
    noise: Noise,
) -> tuple[Float[Tensor, "p 3"], Float[Tensor, "p 3"], Float[Tensor, " p"]]:
    """Shades rays that enter the opening of an eye; all vectors are in the camera's frame.

    Args:
        direction: Directions of the rays from the camera at the origin.
        centre: Centre of the eyeball of each ray.
        radius: Radius of the eyeball.
        iris: Radius of the iris.
        axes: Axes of the eyeball.
        colours: Colours of the eye.
        noise: Noise for vessels and fibres.

    Returns:
        Colour before lighting, normal, and 1 on the cornea (0 on the white).
    """
    unit = nn.functional.normalize(direction, dim=-1)
    along = (unit * centre).sum(-1)
    # Rays that miss the eyeball, in the corners of the eye, show its rim.
    half = (radius**2 - (centre**2).sum(-1) + along**2).clamp(min=0).sqrt()
    normal = nn.functional.normalize(unit * (along - half)[:, None] - centre, dim=-1)
    local = (axes * normal[:, None]).sum(-1)  # p 3: right, up, along the gaze
    x, y = local[:, 0] * radius, local[:, 1] * radius
    distance = (x * x + y * y).sqrt() / iris + (local[:, 2] < 0) * 9.0
    soft = 0.05
    on_iris = ((1.0 + soft - distance) / (2 * soft)).clamp(0, 1)
    on_pupil = ((colours.pupil + soft - distance) / (2 * soft)).clamp(0, 1)
    angle = torch.atan2(y, x) / (2 * torch.pi)
    fibres = noise.at(torch.stack([angle * 1.0, 0.05 * distance], -1) + colours.seed)
    share = ((distance - colours.pupil) / (1 - colours.pupil)).clamp(0, 1)
    colour = torch.lerp(colours.inner, colours.outer, share[:, None])
    colour = colour * (1.0 + 0.25 * fibres[:, None]).clamp(0.3, 2)
    rim = ((distance - 0.78) / 0.2).clamp(0, 1)
    colour = colour * (1 - 0.65 * rim)[:, None] * (1 - 0.96 * on_pupil)[:, None]
    aside = local[:, 0].abs() + 0.3 * local[:, 1].abs()
    red = ((aside - 0.5) / 0.5).clamp(0, 1)[:, None]
    vessels = noise.at(local[:, :2] * 0.4 + colours.seed)[:, None]
    white = colours.white * (1 - red * colours.white.new_tensor([0.15, 0.38, 0.40]))
    white = white * (1 - 0.06 * vessels.clamp(0, 2) * colours.white.new_tensor([0.2, 1, 1]))
    return torch.lerp(white, colour, on_iris[:, None]), normal, on_iris
