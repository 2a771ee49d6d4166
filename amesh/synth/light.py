"""Lighting of surfaces, in linear RGB.

Convention: directions are unit vectors in the camera's frame; that of a lamp points towards it.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from amesh.data import random


class Light(NamedTuple):
    """One lamp, and ambient light that is stronger from one side.

    Attributes:
        lamp: (b, 3) direction of the lamp.
        strength: (b, 3) strength of the lamp.
        ambient: (b, 3) strength of the ambient light.
        side: (b, 3) direction of the strongest ambient light, times its relative excess.
        wrap: (b,) how far the lamp lights beyond its terminator.
        gloss: (b, 2) strength and exponent of highlights on skin.
    """

    lamp: Float[Tensor, "b 3"]
    strength: Float[Tensor, "b 3"]
    ambient: Float[Tensor, "b 3"]
    side: Float[Tensor, "b 3"]
    wrap: Float[Tensor, " b"]
    gloss: Float[Tensor, "b 2"]

    def of(self, face: Int64[Tensor, " p"]) -> "Light":
        """Returns the light at each of several points, given their faces."""
        return Light(*(part.index_select(0, face) for part in self))


def draw_light(key: Int64[Tensor, " b"]) -> Light:
    """Draws lights: mostly in front of the face and above it; warm, neutral or cool."""
    draw = random.uniform(key, "light", [8])
    around = 1.5 * random.bell(key, "lamp, side")
    above = 0.35 + 0.8 * random.bell(key, "lamp, height")
    lamp = torch.stack([around.sin() * above.cos(), -above.sin(), -around.cos() * above.cos()], 1)
    contrast = 0.3 + 0.7 * draw[:, 0]
    warm = 0.16 * (2 * draw[:, 1:2] - 1) * draw.new_tensor([1.0, 0.0, -1.2])
    cool = 0.10 * (2 * draw[:, 2:3] - 1) * draw.new_tensor([1.0, 0.0, -1.0])
    side = nn.functional.normalize(
        random.normal(key, "sky", [3]) * draw.new_tensor([1.0, 0.6, 0.6])
        + draw.new_tensor([0.0, -0.8, -0.4]),
        dim=1,
    )
    side = side * (0.15 + 0.4 * draw[:, 3:4])
    # A surface that faces the camera receives about 1 in total.
    front = (-lamp[:, 2]).clamp(min=0.35)
    whole = (0.75 + 0.6 * draw[:, 4])[:, None]
    strength = whole * (contrast / front)[:, None] * (1 + warm)
    ambient = whole * (1 - contrast)[:, None] * (1 + cool)
    gloss = torch.stack([0.3 * draw[:, 5] ** 2, 8 + 40 * draw[:, 6]], 1)
    return Light(lamp, strength, ambient, side, 0.1 + 0.3 * draw[:, 7], gloss)


def lit(
    colour: Float[Tensor, "p 3"],
    normal: Float[Tensor, "p 3"],
    view: Float[Tensor, "p 3"],
    light: Light,
    gloss: Float[Tensor, " p"],
) -> Float[Tensor, "p 3"]:
    """Lights surfaces.

    Args:
        colour: Colour of the surface.
        normal: Outward unit normals.
        view: Unit vectors from the surface to the camera.
        light: Light at each point.
        gloss: Factor of the light's gloss.
    """
    facing = (normal * light.lamp).sum(1)
    wrap = light.wrap[:, None] * colour.new_tensor([1.3, 0.85, 0.75])  # skin bleeds red light
    direct = ((facing[:, None] + wrap) / (1 + wrap)).clamp(min=0)
    ambient = 1 + (normal * light.side).sum(1, keepdim=True)
    half = nn.functional.normalize(light.lamp + view, dim=1)
    shine = (normal * half).sum(1).clamp(min=0) ** light.gloss[:, 1] * light.gloss[:, 0] * gloss
    # In pictures, dark surfaces have weaker highlights than the same gloss would give.
    shine = shine * (facing > 0) * (0.35 + 2.0 * colour.mean(1)).clamp(max=1.0)
    return colour * (light.strength * direct + light.ambient * ambient) + (
        light.strength * shine[:, None]
    )


def normals(
    points: Float[Tensor, "b v 3"], triangles: Int64[Tensor, "t 3"]
) -> Float[Tensor, "b v 3"]:
    """Returns the unit normals of a mesh's vertices."""
    a, b, c = (points[:, triangles[:, i]] for i in range(3))
    faces = torch.linalg.cross(b - a, c - a)
    total = torch.zeros_like(points)
    for corner in range(3):
        total.index_add_(1, triangles[:, corner], faces)
    return nn.functional.normalize(total, dim=-1, eps=1e-9)
