"""The entry point of this package: turns numbers into pictures of faces with landmarks."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from amesh.data import random
from amesh.data.augment.closure import iris_weight
from amesh.data.loading.sample import Canvas
from amesh.errors import UserError
from amesh.synth import eyes as eye_shading
from amesh.synth import hair, light, mouth
from amesh.synth.background import draw_background
from amesh.synth.config import SynthConfig
from amesh.synth.expressions import Expressions
from amesh.synth.eyes import Eyes
from amesh.synth.hair import HairMesh, Style
from amesh.synth.head import NECK, RINGS, HeadMesh
from amesh.synth.lids import Lids, draw_lids
from amesh.synth.lookup import look_up
from amesh.synth.masks import NAMES as MASKS
from amesh.synth.model import FaceModel
from amesh.synth.mouth import Mouth
from amesh.synth.noise import Noise
from amesh.synth.occluder import draw_occluder
from amesh.synth.picture import Painter, Scene
from amesh.synth.pose import Camera, Pose, draw_pose, frame, from_behind, rotate
from amesh.synth.sensor import expose
from amesh.synth.skin import SkinPainter, Surface
from amesh.synth.visibility import visible
from amesh.topology import Topology

# Number of faces drawn at a time; more would only need more memory.
_TOGETHER = {"cpu": 8}
_TOGETHER_ELSEWHERE = 64


class Solid(NamedTuple):
    """The geometry of faces in their own frame.

    Attributes:
        face: (b, n, 3) landmarks, including the irises.
        eyes: The eyeballs.
        mouth: The teeth.
        shut: (b, 2) how far the upper lids are closed, 0 to 1.
    """

    face: Float[Tensor, "b n 3"]
    eyes: Eyes
    mouth: Mouth
    shut: Float[Tensor, "b 2"]


class SyntheticFaces(nn.Module):
    """Generates any number of faces: number i of a seed and an epoch is always the same face.

    Landmarks do not depend on the batch in which a face is generated; in rare cases, a pixel value
    differs by 1.
    """

    irises: Tensor
    on_eye: Tensor
    masked: Tensor

    def __init__(
        self, topology: Topology, size: int = 256, config: SynthConfig | None = None
    ) -> None:
        """Loads the statistics and builds the meshes.

        Args:
            topology: Topology of the landmarks, face478.
            size: Side of the pictures [px].
            config: Ranges and probabilities; the defaults of `SynthConfig` if None.

        Raises:
            UserError: The topology is another one, or the pictures are too small.
        """
        super().__init__()
        if size < 32:
            raise UserError(f"synthetic faces: size is {size}, expected 32 or more pixels")
        self.size, self.config = size, config or SynthConfig()
        self.model = FaceModel(topology)
        self.expressions = Expressions(topology)
        self.noise = Noise()
        self.head, self.hair, self.lids = HeadMesh(topology), HairMesh(topology), Lids(topology)
        self.skin = SkinPainter(self.model, topology, self.noise)
        self.painter = Painter(self.head, self.hair, self.noise)
        irises = torch.tensor([iris.indices for iris in topology.irises])
        self.register_buffer("irises", irises, persistent=False)
        on_eye = torch.zeros(topology.points, dtype=torch.bool)
        on_eye[irises.flatten()] = True
        self.register_buffer("on_eye", on_eye, persistent=False)
        mask = self.skin.masks[MASKS.index("medical")][None, None].expand(1, 3, -1, -1)
        flat = self.head.flat[: topology.points]
        covered = look_up(mask, torch.zeros(len(flat), dtype=torch.int64), flat)[:, 0] > 0.5
        self.register_buffer("masked", covered & ~on_eye, persistent=False)

    @torch.no_grad()
    def forward(self, seed: int, epoch: int, index: Int64[Tensor, " b"]) -> Canvas:
        """Draws faces on the device of `index` and of this module.

        Args:
            seed: Seed of the run.
            epoch: Epoch, from 0.
            index: Numbers of the faces.
        """
        together = _TOGETHER.get(index.device.type, _TOGETHER_ELSEWHERE)
        with torch.autocast(index.device.type, enabled=False):
            parts = [self._draw(random.keys(seed, epoch, i)) for i in index.split(together)]
        pictures, landmarks, shown, shut = (torch.cat(part) for part in zip(*parts, strict=True))
        face = 1.0 - from_behind(random.keys(seed, epoch, index), self.config).to(shown)
        known = face[:, None].expand_as(shown)
        weights = known.clone()
        weights[:, self.irises] *= iris_weight(shut)[..., None]
        return Canvas(pictures, landmarks, weights, known, shown, face, index)

    def _draw(self, key: Int64[Tensor, " b"]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        config = self.config
        pose = draw_pose(key, config)
        solid = self._solid(key, pose)
        camera = frame(rotate(pose.head, solid.face), pose, self.size)
        scene = self._scene(key, solid, pose, camera)
        seen = self.painter(scene, draw_background(key, self.size, self.noise))
        # The mesh starts with the vertices of the face; irises are not part of its surface.
        points = scene.head[:, : solid.face.shape[1]].clone()
        points[:, self.irises] = scene.eyes.points()
        landmarks = camera.landmarks(points)
        xy = landmarks[..., :2]
        z_of_eyes = landmarks[:, self.lids.around, 2].mean(2)  # b 2
        # As in the released network, the mean depth of the mesh is 0.
        mesh = landmarks[:, ~self.on_eye, 2].mean(1)
        landmarks[..., 2] -= mesh[:, None]
        z_of_eyes = z_of_eyes - mesh[:, None]
        landmarks[:, self.irises, 2] = z_of_eyes[:, :, None].expand(-1, -1, self.irises.shape[1])
        shown = visible(seen, points, xy, self.on_eye)
        shown = shown * (1 - scene.surface.medical[:, None] * self.masked)
        linear = seen.linear.clone()
        box = torch.cat([xy.amin(1), xy.amax(1)], 1)
        for_hand = (random.uniform(key, "hand") < config.hand).nonzero()[:, 0]
        if len(for_hand):
            skin = scene.surface.skin[for_hand]
            layer = draw_occluder(key[for_hand], box[for_hand], skin, self.size)
            linear[for_hand] = torch.lerp(linear[for_hand], layer.colour, layer.cover)
            at = xy[for_hand].long().clamp(0, self.size - 1)
            hidden = layer.cover.flatten(1).gather(1, at[..., 1] * self.size + at[..., 0])
            shown[for_hand] *= (hidden < 0.5).float()
        extent = (box[:, 2:] - box[:, :2]).amax(1)
        pictures = expose(linear, key, extent, config, self.noise)
        return pictures, landmarks, shown, solid.shut

    def _solid(self, key: Int64[Tensor, " b"], pose: Pose) -> Solid:
        """Draws shape, expression and gaze."""
        config = self.config
        controls = self.model.draw_controls(key, config.expression)
        strong = self.expressions.draw(key, config.lips)
        controls = self.expressions.relax(controls, self.model.control_mean, strong)
        face = self.expressions(self.model.shape(key, controls, config.shape), strong)
        eyes = self.lids.place(face, key)
        draw = random.uniform(key, "eyes", [4])
        limit = math.radians(config.gaze)
        free = limit * random.bell(key, "gaze", [2]) * 1.6
        # Half of them look at the camera, within the range of the eyes.
        ahead = -pose.head[:, 2]  # the camera's direction in the head's frame
        to_camera = torch.stack([torch.atan2(ahead[:, 0], -ahead[:, 2]), -ahead[:, 1].asin()], 1)
        turn = torch.where(draw[:, :1] < 0.5, to_camera, free).clamp(-limit, limit)
        turn[:, 1] = turn[:, 1].clamp(-0.6 * limit, 0.6 * limit)
        eyes = eye_shading.look(eyes, turn[:, :1].expand(-1, 2), turn[:, 1:].expand(-1, 2))
        closure = draw_lids(key, config, turn[:, 1])
        face = self.lids.close(face, eyes, closure)
        face = face.clone()
        face[:, self.irises] = eyes.points()
        teeth = mouth.place(face, self.model.mean_shape, key)
        return Solid(face, eyes, teeth, closure.amount)

    def _scene(self, key: Int64[Tensor, " b"], solid: Solid, pose: Pose, camera: Camera) -> Scene:
        config = self.config
        glasses = (random.uniform(key, "glasses worn") < config.glasses).float()
        body = self.head(solid.face, key, glasses)
        style = hair.draw_style(key, config, glasses)
        hair_mesh = self.hair(solid.face, style, body.eyes, body.lens, key)
        away = torch.zeros_like(solid.face[:, :1])
        away[..., 2] = camera.distance[:, None]
        neck = body.vertices.new_tensor(NECK)
        turned = rotate(pose.head, body.vertices)
        hung = rotate(pose.body, body.vertices - neck) + rotate(pose.head, neck.expand_as(away))
        head = torch.lerp(turned, hung, self.head.follows_body[:, None]) + away
        eyes = solid.eyes._replace(
            centre=rotate(pose.head, solid.eyes.centre) + away,
            axes=(pose.head[:, None, None] * solid.eyes.axes[:, :, :, None]).sum(-1),
        )
        surface = self.skin(key, config)
        return Scene(
            camera,
            pose,
            head,
            rotate(pose.head, hair_mesh) + away,
            eyes,
            eye_shading.draw_colours(key),
            solid.mouth,
            self._colours(key, surface, style),
            surface,
            style,
            light.draw_light(key),
        )

    def _colours(
        self, key: Int64[Tensor, " b"], surface: Surface, style: Style
    ) -> Float[Tensor, "b v 3"]:
        """Returns the colours of the vertices around the face."""
        count, mesh = len(key), self.head
        skin = surface.skin[:, None]
        colours = skin.expand(-1, mesh.count, -1).clone()
        outline = mesh.flat[mesh.outline]
        faces = torch.arange(count, device=key.device).repeat_interleave(len(outline))
        rim = look_up(surface.texture, faces, outline.repeat(count, 1)).view(count, -1, 3)
        colours[:, mesh.outline] = rim
        low, high = mesh.sections["head"]
        ring = torch.arange(1, RINGS + 1, device=key.device)[None, :, None]
        fade = (ring[..., None] / 3.0).clamp(max=1)
        skull = torch.lerp(rim[:, None], skin[:, None] * 0.9, fade)  # b rings k 3
        around = self.hair.place[: len(outline), 0]
        begin = hair.hairline(style.line, around[None].expand(count, -1))[:, None]
        scalp = ((ring - begin) / 1.0).clamp(0, 1) * style.worn[:, None, None] * 0.85
        skull = torch.lerp(skull, surface.hair[:, None, None], scalp[..., None])
        colours[:, low : high - 1] = skull.flatten(1, 2)
        low, high = mesh.sections["ears"]
        colours[:, low:high] = skin * skin.new_tensor([0.95, 0.78, 0.74])
        low, high = mesh.sections["body"]
        draw = random.uniform(key, "clothes", [4])
        cloth = torch.lerp(draw[:, :3].mean(1, keepdim=True).expand(-1, 3), draw[:, :3], 0.5)
        cloth = 0.02 + 0.7 * cloth**2
        clothed = mesh.clothed[low:high] > 0.1 + 0.8 * draw[:, 3:]
        # Cheeks are redder than necks.
        neck = 0.92 * torch.lerp(skin, skin.mean(2, keepdim=True), 0.25)
        colours[:, low:high] = torch.where(clothed[..., None], cloth[:, None], neck)
        # The area under the chin is in shadow.
        dark = skin.new_tensor([0.35, 0.6, 0.9] + [1.0] * 10)
        rows = (torch.arange(high - low, device=key.device) // 20).clamp(max=12)
        colours[:, low:high] *= dark[rows][:, None]
        low, high = mesh.sections["frame"]
        frame_colour = random.uniform(key, "frame", [4])
        paint = torch.where(frame_colour[:, 3:] < 0.65, 0.02, frame_colour[:, :3] ** 2 * 0.5)
        colours[:, low:high] = paint[:, None]
        return colours
