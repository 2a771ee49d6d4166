"""Renders a scene: what each pixel shows, and its colour under the light."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from amesh.synth import eyes as eye_shading
from amesh.synth import hair, light, mouth
from amesh.synth.eyes import Eyes, IrisColours
from amesh.synth.hair import HairMesh, Style
from amesh.synth.head import CLOTH, EYE, FRAME, HEAD, MOUTH, SKIN, HeadMesh
from amesh.synth.light import Light
from amesh.synth.lookup import look_up
from amesh.synth.mouth import Mouth
from amesh.synth.noise import Noise
from amesh.synth.pose import Camera, Pose
from amesh.synth.raster import Fragments, interpolate, rasterise
from amesh.synth.skin import Surface


class Scene(NamedTuple):
    """Everything in a picture, in the camera's frame.

    Attributes:
        camera: The camera.
        pose: Pose of the head.
        head: (b, v, 3) vertices of the head's mesh.
        hair: (b, w, 3) vertices of the hair's mesh.
        eyes: The eyeballs.
        iris: Colours of the eyes.
        mouth: The teeth, in the head's frame.
        colours: (b, v, 3) colours of the head's vertices.
        surface: Surface of the face.
        style: Style of the hair.
        light: The lights.
    """

    camera: Camera
    pose: Pose
    head: Float[Tensor, "b v 3"]
    hair: Float[Tensor, "b w 3"]
    eyes: Eyes
    iris: IrisColours
    mouth: Mouth
    colours: Float[Tensor, "b v 3"]
    surface: Surface
    style: Style
    light: Light


class Seen(NamedTuple):
    """A picture, and the buffers that determine visibility.

    Attributes:
        linear: (b, 3, h, w) linear RGB.
        depth: (b, h, w) depth of opaque surfaces; infinite in the background.
        part: (b, h, w) part of the head's mesh; -1 in the background.
        cover: (b, h, w) opacity of hair or lenses.
    """

    linear: Float[Tensor, "b 3 h w"]
    depth: Float[Tensor, "b h w"]
    part: Int64[Tensor, "b h w"]
    cover: Float[Tensor, "b h w"]


class Painter(nn.Module):
    """Draws scenes."""

    solid: Tensor

    def __init__(self, head: HeadMesh, hair_mesh: HairMesh, noise: Noise) -> None:
        super().__init__()
        self.head, self.hair, self.noise = head, hair_mesh, noise
        # Openings have no surface: only skin contributes to the normals of lips and lids.
        solid = (head.part != MOUTH) & (head.part < EYE)
        self.register_buffer("solid", head.triangles[solid], persistent=False)

    def forward(self, scene: Scene, behind: Float[Tensor, "b 3 h w"]) -> Seen:
        """Draws head and hair over a background.

        Args:
            scene: The scene.
            behind: The background, linear RGB.
        """
        count, _, height, width = behind.shape
        xy = scene.camera.project(scene.head)
        found = rasterise(xy, scene.head[..., 2], self.head.triangles, (height, width))
        colour, part = self._opaque(scene, found, width)
        picture = behind.permute(0, 2, 3, 1).reshape(-1, 3).contiguous()  # b 3 h w -> m 3
        picture[found.pixel] = colour
        depth = picture.new_full((len(picture),), math.inf)
        depth[found.pixel] = found.depth
        parts = torch.full((len(picture),), -1, device=picture.device)
        parts[found.pixel] = part
        cover = torch.zeros_like(depth)
        xy = scene.camera.project(scene.hair)
        found = rasterise(xy, scene.hair[..., 2], self.hair.triangles, (height, width), True)
        nearer = (found.depth < depth[found.pixel] + 0.02).nonzero()[:, 0]
        found = Fragments(*(part[nearer] for part in found))
        strands, opacity = self._strands(scene, found)
        cover[found.pixel] = opacity
        picture[found.pixel] = torch.lerp(picture[found.pixel], strands, opacity[:, None])
        shape = (count, height, width)
        linear = picture.view(*shape, 3).permute(0, 3, 1, 2)  # m 3 -> b 3 h w
        return Seen(linear, depth.view(shape), parts.view(shape), cover.view(shape))

    def _rays(self, scene: Scene, found: Fragments, width: int) -> Float[Tensor, "p 3"]:
        """Returns the rays through the pixels' centres, scaled to depth 1."""
        row = torch.div(found.pixel, width, rounding_mode="floor")
        height = width  # pictures are square
        x = (found.pixel - row * width).float() + 0.5
        y = (row - found.face * height).float() + 0.5
        middle, focal = scene.camera.middle[found.face], scene.camera.focal[found.face]
        ray = torch.stack([x, y], 1) - middle
        return torch.cat([ray / focal[:, None], torch.ones_like(x)[:, None]], 1)

    def _opaque(
        self, scene: Scene, found: Fragments, width: int
    ) -> tuple[Float[Tensor, "p 3"], Int64[Tensor, " p"]]:
        """Returns the lit colours of the head's pixels, and the parts they show."""
        count = len(scene.head)
        normal = light.normals(scene.head, self.solid)
        constant = torch.cat([self.head.flat, self.head.lid[:, None]], 1).expand(count, -1, -1)
        values = torch.cat([normal, scene.colours, constant], 2)
        values = interpolate(values, self.head.triangles, found)
        normal = nn.functional.normalize(values[:, :3], dim=1)
        flat, lid = values[:, 6:8], values[:, 8]
        part = self.head.part[found.triangle]
        skin = (part == SKIN)[:, None]
        colour = torch.where(skin, look_up(scene.surface.texture, found.face, flat), values[:, 3:6])
        ray = self._rays(scene, found, width)
        view = -nn.functional.normalize(ray, dim=1)
        gloss_of = normal.new_zeros(EYE + 2)
        gloss_of[SKIN], gloss_of[HEAD], gloss_of[FRAME] = 1.0, 0.7, 2.5
        gloss_of[CLOTH] = 0.1
        lights = scene.light.of(found.face)
        result = light.lit(colour, normal, view, lights, gloss_of[part])
        self._add_eyes(result, scene, found, part, ray, lid)
        self._add_mouths(result, scene, found, part, ray, lid)
        return result, part

    def _add_eyes(
        self,
        result: Float[Tensor, "p 3"],
        scene: Scene,
        found: Fragments,
        part: Int64[Tensor, " p"],
        ray: Float[Tensor, "p 3"],
        lid: Float[Tensor, " p"],
    ) -> None:
        mine = (part >= EYE).nonzero()[:, 0]
        face, side = found.face[mine], part[mine] - EYE
        eyes = scene.eyes
        colours = IrisColours(*(value[face] for value in scene.iris))
        colour, normal, cornea = eye_shading.shade(
            ray[mine],
            eyes.centre[face, side],
            eyes.radius[face],
            eyes.iris[face],
            eyes.axes[face, side],
            colours,
            self.noise,
        )
        view = -nn.functional.normalize(ray[mine], dim=1)
        lights = scene.light.of(face)
        # Eyes are wet: they show a small, bright reflection of the lamp.
        exponent = 60.0 + 340.0 * cornea
        wet = lights._replace(
            gloss=torch.stack([0.06 + 2.0 * cornea, exponent], 1), wrap=lights.wrap + 0.3
        )
        lit = light.lit(
            colour * scene.surface.tint[face], normal, view, wet, torch.ones_like(cornea)
        )
        # The upper lid and its lashes cast a shadow.
        height = lid[mine]
        shadow = 0.85 - 0.5 * ((height - 0.5) / 0.5).clamp(0, 1)
        shadow = shadow - 0.15 * (1 - height * 6).clamp(0, 1)
        result[mine] = lit * shadow[:, None]

    def _add_mouths(
        self,
        result: Float[Tensor, "p 3"],
        scene: Scene,
        found: Fragments,
        part: Int64[Tensor, " p"],
        ray: Float[Tensor, "p 3"],
        lid: Float[Tensor, " p"],
    ) -> None:
        mine = (part == MOUTH).nonzero()[:, 0]
        face = found.face[mine]
        turn = scene.pose.head[face].transpose(1, 2)  # head's frame from the camera's
        direction = (turn * ray[mine][:, None]).sum(-1)
        origin = -turn[:, :, 2] * scene.camera.distance[face][:, None]
        colour = mouth.shade(
            origin, direction, lid[mine], Mouth(*(value[face] for value in scene.mouth))
        )
        surface = scene.surface
        colour = colour * surface.tint[face]
        colour = torch.lerp(colour, surface.cloth[face], surface.medical[face][:, None])
        lights = scene.light.of(face)
        result[mine] = colour * (lights.ambient + 0.6 * lights.strength)

    def _strands(
        self, scene: Scene, found: Fragments
    ) -> tuple[Float[Tensor, "p 3"], Float[Tensor, " p"]]:
        """Returns the lit colours of hair and lenses, and their opacity."""
        normal = light.normals(scene.hair, self.hair.triangles)
        constant = self.hair.place.expand(len(scene.hair), -1, -1)
        values = interpolate(torch.cat([normal, constant], 2), self.hair.triangles, found)
        kind = self.hair.kind[found.triangle]
        style = Style(*(value.index_select(0, found.face) for value in scene.style))
        # The seam of the cap is at the chin, where there is no hair, so angles may jump there.
        opacity, bright = hair.cover(kind, values[:, 3:], style, self.noise)
        normal = nn.functional.normalize(values[:, :3], dim=1)
        normal = normal * torch.where(normal[:, 2:] > 0, -1.0, 1.0)
        colour = scene.surface.hair[found.face] * bright[:, None]
        colour = torch.where((kind == hair.LENS)[:, None], style.lens[:, :3], colour)
        lights = scene.light.of(found.face)
        view = torch.zeros_like(normal)
        view[:, 2] = -1
        shine = torch.where(kind == hair.LENS, 1.5, 0.25 * bright)
        return light.lit(colour, normal, view, lights, shine), opacity
