"""The head around the face: skull, ears, neck, shoulders and glasses, in one mesh with the face.

Convention: vertices are in the face's own frame, that of the topology's template (x to the image's
right, y down, z away from the camera, outer eye corners at distance 1). A head is about 1.75 wide.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from amesh.data import random
from amesh.synth.glasses import RIM, glasses_of
from amesh.synth.grids import fan, grid
from amesh.synth.texture_map import flatten, openings
from amesh.topology import Topology
from amesh.topology.lids import eye_lids, lips_inside

# Parts of the mesh, which differ in shading.
SKIN, HEAD, CLOTH, MOUTH, FRAME, EYE = 0, 1, 2, 3, 4, 5  # the second eye is EYE + 1

RINGS = 7
_ROUND, _EAR_ROUND = 20, 12
CENTRE = (0.0, 0.05, 0.8)  # centre of the skull
NECK = (0.0, 0.95, 0.75)  # the point about which the head turns on the body
# For each ring of the body: height, half width, half depth, depth of its axis, how far it follows
# the pose of the body instead of the head, and whether it is clothed (above 0.5).
_BODY = np.array(
    [
        [0.55, 0.62, 0.60, 0.85, 0.0, 0.0],
        [1.15, 0.63, 0.62, 0.88, 0.3, 0.0],
        [1.55, 0.68, 0.66, 0.95, 0.8, 0.2],
        [1.80, 1.00, 0.72, 1.02, 1.0, 0.6],
        [2.05, 1.65, 0.80, 1.05, 1.0, 1.0],
        [2.45, 2.25, 0.90, 1.08, 1.0, 1.0],
        [5.50, 2.50, 1.10, 1.08, 1.0, 1.0],
    ]
)


class Body(NamedTuple):
    """The heads of a batch.

    Attributes:
        vertices: The face, then the rest of the head.
        eyes: Centres of the lenses, right one first.
        lens: Half width and half height of a lens.
    """

    vertices: Float[Tensor, "b v 3"]
    eyes: Float[Tensor, "b 2 3"]
    lens: Float[Tensor, "b 2"]


class HeadMesh(nn.Module):
    """The triangles of all heads, and the vertices around a given face."""

    triangles: Tensor
    part: Tensor
    flat: Tensor
    lid: Tensor
    follows_body: Tensor
    clothed: Tensor
    outline: Tensor
    ring: Tensor

    def __init__(self, topology: Topology) -> None:
        """Builds the triangles."""
        super().__init__()
        n = topology.points
        outline = np.array(topology.contours["face_oval"][0][:-1])
        holes = openings(topology)
        blocks, parts, start = [topology.triangles], [np.full(len(topology.triangles), SKIN)], n
        for number, hole in enumerate((holes.mouth, *holes.eyes)):
            blocks.append(hole)
            parts.append(np.full(len(hole), MOUTH if number == 0 else EYE + number - 1))
        k = len(outline)
        rings = np.concatenate([outline[None], start + np.arange(RINGS * k).reshape(RINGS, k)])
        pole = start + RINGS * k
        blocks += [grid(rings), fan(rings[-1], pole)]
        parts += [np.full(2 * RINGS * k, HEAD), np.full(k, HEAD)]
        start = pole + 1
        self.sections = {"head": (n, start)}
        body = start + np.arange(len(_BODY) * _ROUND).reshape(-1, _ROUND)
        blocks.append(grid(body))
        parts.append(np.full(2 * (len(_BODY) - 1) * _ROUND, CLOTH))
        self.sections["body"] = (start, start := start + body.size)
        for _ in range(2):
            ear = start + np.arange(2 * _EAR_ROUND).reshape(2, -1)
            blocks += [grid(ear), fan(ear[-1], start + ear.size)]
            parts.append(np.full(3 * _EAR_ROUND, HEAD))
            start += ear.size + 1
        self.sections["ears"] = (self.sections["body"][1], start)
        first = start
        for _ in range(2):
            rim = start + np.arange(2 * RIM).reshape(2, -1)
            blocks.append(grid(rim))
            start += rim.size
        for _ in range(3):  # bridge and temples: strips of two quads
            strip = start + np.arange(6).reshape(2, 3)
            blocks.append(grid(strip, closed=False))
            start += 6
        self.sections["frame"] = (first, start)
        frame = sum(len(block) for block in blocks) - sum(len(part) for part in parts)
        parts.append(np.full(frame, FRAME))
        # Both sides of the frame are visible.
        blocks += [block[:, ::-1] for block in blocks[-5:]]
        parts.append(np.full(frame, FRAME))
        triangles, part = np.concatenate(blocks), np.concatenate(parts)
        self.count = start
        flat, lid = np.zeros((start, 2)), np.zeros(start)
        flat[:n] = flatten(topology)
        for opening in (*eye_lids(topology), lips_inside(topology)):
            lid[list(opening.corners)] = 0.5
            lid[list(opening.upper)] = 1.0
        body_rows = np.repeat(_BODY, _ROUND, axis=0)
        follows, clothed = np.zeros(start), np.zeros(start)
        low, high = self.sections["body"]
        follows[low:high], clothed[low:high] = body_rows[:, 4], body_rows[:, 5]
        ring = np.zeros(start)
        ring[n:pole] = np.repeat(np.arange(1, RINGS + 1), k) / (RINGS + 1)
        ring[pole] = 1.0
        for name, value in {
            "triangles": triangles,
            "part": part,
            "outline": outline,
        }.items():
            self.register_buffer(name, torch.from_numpy(value.copy()), persistent=False)
        for name, numbers in {
            "flat": flat,
            "lid": lid,
            "follows_body": follows,
            "clothed": clothed,
            "ring": ring,
        }.items():
            self.register_buffer(name, torch.tensor(numbers, dtype=torch.float32), persistent=False)
        self._orient(torch.tensor(topology.template, dtype=torch.float32))

    def forward(
        self, face: Float[Tensor, "b n 3"], key: Int64[Tensor, " b"], glasses: Float[Tensor, " b"]
    ) -> Body:
        """Returns the vertices of the whole head.

        Args:
            face: Landmarks in the face's frame.
            key: Keys of the samples, for the variation of skulls, ears and necks.
            glasses: 1 if glasses are worn; otherwise, the frame collapses to a point.
        """
        width = face[:, self.outline, 0].abs().amax(1)  # b
        skull = grow(face[:, self.outline], RINGS, width, key)
        wide = random.bell(key, "neck") * 0.12 + 1.0
        frame, eyes, lens = glasses_of(face, key)
        frame = torch.where(glasses[:, None, None] > 0, frame, frame[:, :1])
        parts = [face, skull, _body(wide * width), _ears(face, width, key), frame]
        return Body(torch.cat(parts, 1), eyes, lens)

    def _orient(self, template: Float[Tensor, "n 3"]) -> None:
        """Flips triangles whose normal points inwards."""
        key = random.keys(0, 0, torch.zeros(1, dtype=torch.int64))
        vertices = self(template[None], key, torch.ones(1)).vertices[0]
        middles = {
            "head": torch.tensor(CENTRE),
            "body": torch.tensor([0.0, 0.0, float(_BODY[0, 3])]),
            "ears": torch.tensor(CENTRE),
        }
        corners = vertices[self.triangles]
        normal = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        for name, middle in middles.items():
            low, high = self.sections[name]
            mine = ((self.triangles >= low) & (self.triangles < high)).any(1)
            out = corners.mean(1) - middle
            if name == "body":
                out[:, 1] = 0
            inwards = mine & ((normal * out).sum(1) < 0)
            self.triangles[inwards] = self.triangles[inwards].flip(1)


def grow(
    outline: Float[Tensor, "b k 3"],
    rings: int,
    width: Float[Tensor, " b"],
    key: Int64[Tensor, " b"],
) -> Float[Tensor, "b m 3"]:
    """Returns rings from the face's outline around the skull to a pole at its back, pole last."""
    centre = outline.new_tensor(CENTRE)
    size = 1.0 + 0.06 * random.bell(key, "skull", [3])
    radii = torch.stack([width * 1.09, 1.22 * size[:, 1], 1.13 * size[:, 2]], 1)[:, None]
    arm = outline - centre
    length = arm.norm(dim=-1, keepdim=True)
    start = arm / length
    back = torch.nn.functional.normalize(outline.new_tensor([0.0, -0.1, 1.0]), dim=0)
    angle = torch.arccos((start * back).sum(-1, keepdim=True).clamp(-0.999, 0.999))
    excess = length - _ellipsoid(start, radii)
    levels = []
    for ring in range(1, rings + 1):
        share = (ring / (rings + 1)) ** 1.2
        direction = torch.sin((1 - share) * angle) * start + torch.sin(share * angle) * back
        direction = direction / torch.sin(angle)
        levels.append(direction * (_ellipsoid(direction, radii) + excess * math.exp(-share / 0.12)))
    pole = back.expand(len(outline), 1, 3)
    levels.append(pole * _ellipsoid(pole, radii))
    return centre + torch.cat(levels, 1)


def _ellipsoid(
    direction: Float[Tensor, "b k 3"], radii: Float[Tensor, "b 1 3"]
) -> Float[Tensor, "b k 1"]:
    """Returns the distance of the skull's surface, whose underside is flatter than its top."""
    below = torch.where(direction[..., 1:2] > 0, 0.8, 1.0)
    tall = torch.cat([radii[..., :1].expand_as(below), radii[..., 1:2] * below], -1)
    full = torch.cat([tall, radii[..., 2:].expand_as(below)], -1)
    reach: Tensor = 1.0 / (direction / full).norm(dim=-1, keepdim=True)
    return reach


def _body(wide: Float[Tensor, " b"]) -> Float[Tensor, "b m 3"]:
    rows = wide.new_tensor(_BODY)
    angle = torch.arange(_ROUND, device=wide.device) * (2 * math.pi / _ROUND)
    share = (wide[:, None, None] / 0.79) ** (1 - 0.5 * rows[:, 4:5])
    x = rows[:, 1:2] * share * angle.sin()
    z = rows[:, 3:4] - rows[:, 2:3] * share * angle.cos()
    return torch.stack([x, rows[:, :1].expand_as(x), z], -1).flatten(1, 2)


def _ears(
    face: Float[Tensor, "b n 3"], width: Float[Tensor, " b"], key: Int64[Tensor, " b"]
) -> Float[Tensor, "b m 3"]:
    """Returns ears, as two domes whose back stands off the head."""
    angle = torch.arange(_EAR_ROUND, device=face.device) * (2 * math.pi / _EAR_ROUND)
    size = 1.0 + 0.2 * random.bell(key, "ears", [3])
    tall, deep = 0.34 * size[:, :1], 0.19 * size[:, 1:2]
    off = 0.17 * size[:, 2:3]
    ears = []
    for sign in (-1.0, 1.0):
        levels = []
        for radius, out in ((1.0, -0.08), (0.85, 0.5), (0.0, 0.3)):
            around = angle if radius else angle[:1]
            z = radius * around.cos() * deep
            y = radius * around.sin() * tall
            x = sign * (width[:, None] * 1.0 + off * (out * (0.6 + z / deep * 0.6)))
            levels.append(torch.stack([x, 0.22 + y + 0.3 * z, 0.92 + z], -1))
        ears.append(torch.cat(levels, 1))
    return torch.cat(ears, 1)
