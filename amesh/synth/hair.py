"""Translucent layers in front of the face: hair and the lenses of glasses.

A cap around the skull begins at the hairline, and a curtain of long hair hangs behind the face and
at its sides. Single strands exist only in the opacity pattern, not in the mesh.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from amesh.data import random
from amesh.synth.config import SynthConfig
from amesh.synth.grids import fan, grid
from amesh.synth.head import CENTRE, grow
from amesh.synth.noise import Noise
from amesh.topology import Topology

_RINGS, _INNER = 8, 3  # rings of the cap behind the face's outline, and on the forehead
_ACROSS, _DOWN = 20, 6  # vertices of the curtain
_LENS = 16
CAP, CURTAIN, LENS = 0, 1, 2


class Style(NamedTuple):
    """The hair and lenses of each face.

    Attributes:
        worn: (b,) 1 if there is hair.
        line: (b, 4) hairline, in rings from the outline: top, sides, asymmetry, unevenness.
        thick: (b,) height of the hair above the skull.
        long: (b,) length of the curtain; 0 for none.
        around: (b,) how far the curtain extends to the front [radians].
        strand: (b, 3) fineness of the pattern, and its position in the noise.
        curly: (b,) 0 for straight strands, 1 for curls.
        lens: (b, 4) colour and opacity of the lenses.
    """

    worn: Float[Tensor, " b"]
    line: Float[Tensor, "b 4"]
    thick: Float[Tensor, " b"]
    long: Float[Tensor, " b"]
    around: Float[Tensor, " b"]
    strand: Float[Tensor, "b 3"]
    curly: Float[Tensor, " b"]
    lens: Float[Tensor, "b 4"]


def draw_style(
    key: Int64[Tensor, " b"], config: SynthConfig, glasses: Float[Tensor, " b"]
) -> Style:
    """Draws hair of all lengths, some with a fringe; a third of the glasses are dark."""
    draw = random.uniform(key, "hairstyle", [14])
    worn = (draw[:, 0] < config.hair).float()
    fringe = draw[:, 1] < 0.22
    receding = draw[:, 1] > 0.92
    top = 0.15 + 0.9 * draw[:, 2]
    top = torch.where(fringe, -0.4 - 2.0 * draw[:, 2], torch.where(receding, top + 2.0, top))
    line = torch.stack(
        [top, 0.35 + 0.8 * draw[:, 3], 1.0 * (2 * draw[:, 4] - 1), 0.2 + 0.5 * draw[:, 5]], 1
    )
    curly = (draw[:, 6] < 0.25).float() * (0.4 + 0.6 * draw[:, 7])
    thick = 0.03 + 0.17 * draw[:, 8] ** 1.5 + 0.18 * curly * draw[:, 9]
    long = torch.where(draw[:, 10] < 0.42, 0.5 + 1.9 * draw[:, 11], 0.0) * worn
    around = 1.75 + 0.75 * draw[:, 12]
    strand = torch.cat([(0.5 + draw[:, 13:14]), random.uniform(key, "strands", [2])], 1)
    tint = random.uniform(key, "lenses", [4])
    dark = tint[:, 0] < 0.33
    cover = torch.where(dark, 0.75 + 0.24 * tint[:, 1], 0.02 + 0.12 * tint[:, 1])
    shade = torch.where(dark, 0.03, 0.5)[:, None] * (0.6 + 0.8 * random.uniform(key, "tint", [3]))
    lens = torch.cat([shade, (cover * glasses)[:, None]], 1)
    return Style(worn, line, thick, long, around, strand, curly, lens)


class HairMesh(nn.Module):
    """The mesh of cap, curtain and lenses.

    Attributes:
        kind: Kind of each triangle: CAP, CURTAIN or LENS.
        place: (v, 2) position of each vertex. Cap: angle around the head (0 at the top, 1 for a
            full turn) and rings from the outline. Curtain: across from -1 to 1, down from 0 to 1.
    """

    triangles: Tensor
    kind: Tensor
    place: Tensor
    outline: Tensor

    def __init__(self, topology: Topology) -> None:
        super().__init__()
        outline = np.array(topology.contours["face_oval"][0][:-1])
        at = topology.template[outline]
        around = np.arctan2(at[:, 0], -(at[:, 1] - at[:, 1].mean())) / (2 * math.pi)
        k, rings = len(outline), _INNER + 1 + _RINGS
        cap = np.arange(rings * k).reshape(rings, k)
        blocks, kinds = [grid(cap), fan(cap[-1], cap.size)], [CAP, CAP]
        levels = np.repeat(np.arange(-_INNER, _RINGS + 1), k)
        pole = np.array([[0.0, _RINGS + 1.0]])
        place = [np.stack([np.tile(around, rings), levels], 1), pole]
        start = cap.size + 1
        curtain = start + np.arange(_DOWN * _ACROSS).reshape(_DOWN, -1)
        blocks.append(grid(curtain, closed=False))
        kinds.append(CURTAIN)
        down, across = np.mgrid[0 : 1 : _DOWN * 1j, -1 : 1 : _ACROSS * 1j]
        place.append(np.stack([across.ravel(), down.ravel()], 1))
        start += curtain.size
        for _ in range(2):
            lens = start + np.arange(_LENS)
            blocks.append(fan(lens, start + _LENS))
            kinds.append(LENS)
            place.append(np.zeros((_LENS + 1, 2)))
            start += _LENS + 1
        kind = np.concatenate([np.full(len(b), i) for b, i in zip(blocks, kinds, strict=True)])
        for name, value in {
            "triangles": np.concatenate(blocks),
            "kind": kind,
            "outline": outline,
        }.items():
            self.register_buffer(name, torch.from_numpy(value), persistent=False)
        flat = torch.tensor(np.concatenate(place), dtype=torch.float32)
        self.register_buffer("place", flat, persistent=False)

    def forward(
        self,
        face: Float[Tensor, "b n 3"],
        style: Style,
        lenses: Float[Tensor, "b 2 3"],
        half: Float[Tensor, "b 2"],
        key: Int64[Tensor, " b"],
    ) -> Float[Tensor, "b v 3"]:
        """Returns the vertices in the head's frame.

        Args:
            face: Landmarks.
            style: Style of the hair.
            lenses: Centres of the lenses.
            half: Their half width and height.
            key: Keys of the samples, the same as for the skull.
        """
        rim = face[:, self.outline]
        width = rim[..., 0].abs().amax(1)
        # On the forehead, the cap follows the face between its outline and the brows.
        brow = face[:, [9]]
        inner = [
            torch.lerp(rim, brow, 0.27 * step) - face.new_tensor([0.0, 0.0, 0.035 * min(step, 2)])
            for step in range(_INNER, 0, -1)
        ]
        cap = torch.cat([*inner, rim, grow(rim, _RINGS, width, key)], 1)
        count = cap.shape[1]
        centre = face.new_tensor(CENTRE)
        depth = (self.place[:count, 1] - self._line(style, self.place[:count])).clamp(0.0, 2.0) / 2
        lift = 0.012 + style.thick[:, None] * depth**0.7
        cap = centre + (cap - centre) * (1 + lift[..., None])
        curtain = self._curtain(face, width, style, count)
        angle = torch.arange(_LENS, device=face.device) * (2 * math.pi / _LENS)
        circle = torch.stack([angle.cos(), angle.sin(), 0 * angle], -1)
        circle = torch.cat([circle, torch.zeros_like(circle[:1])])
        size = torch.cat([half, torch.zeros_like(half[:, :1])], 1) * 1.04
        both = (lenses[:, :, None] + circle * size[:, None, None]).flatten(1, 2)
        return torch.cat([cap, curtain, both], 1)

    def _curtain(
        self, face: Float[Tensor, "b n 3"], width: Float[Tensor, " b"], style: Style, start: int
    ) -> Float[Tensor, "b m 3"]:
        place = self.place[start : start + _ACROSS * _DOWN]
        angle = place[:, 0] * style.around[:, None]
        down = place[:, 1]
        y = -0.75 + (0.75 + style.long[:, None]) * down
        out = 1.03 + style.thick[:, None] * (0.5 + 0.9 * down)
        # Close to the skull at the top, straight down below the ears.
        top = (1 - ((0.1 - y) / 1.2).clamp(0, 0.99) ** 2).sqrt()
        x = angle.sin() * (width[:, None] * 1.1) * out * top
        z = CENTRE[2] + angle.cos() * 1.1 * out * top
        return torch.stack([x, y, z], -1)

    def _line(self, style: Style, place: Float[Tensor, "v 2"]) -> Float[Tensor, "b v"]:
        return hairline(style.line, place[None, :, 0].expand(len(style.line), -1))


def hairline(line: Float[Tensor, "b 4"], around: Float[Tensor, "b v"]) -> Float[Tensor, "b v"]:
    """Returns where hair begins, in rings from the outline.

    Args:
        line: Hairlines; see `Style`.
        around: Angle around the head, 0 at the top, 0.25 and -0.25 at the sides.
    """
    turn = 2 * math.pi * around
    top = ((turn.cos() - 0.15) / 0.6).clamp(0, 1)
    low = ((-turn.cos() + 0.35) / 0.5).clamp(0, 1)
    upper, side, aside = line[:, 0:1], line[:, 1:2], line[:, 2:3]
    start = torch.lerp(side.expand_as(top), upper + aside * turn.sin(), top)
    return torch.lerp(start, torch.full_like(start, 4.0), low)


def cover(
    kind: Int64[Tensor, " p"],
    place: Float[Tensor, "p 2"],
    style: Style,
    noise: Noise,
) -> tuple[Float[Tensor, " p"], Float[Tensor, " p"]]:
    """Returns the opacity of hair or lenses at points, and the brightness of the strands.

    Args:
        kind: CAP, CURTAIN or LENS.
        place: Position of each point; see `HairMesh`.
        style: Style of each point.
        noise: Noise for strands.
    """
    curtain = kind == CURTAIN
    across = torch.where(curtain, 0.5 * place[:, 0], place[:, 0])
    along = torch.where(curtain, place[:, 1], place[:, 1] / 8)
    fine = style.strand[:, 0]
    # The pattern changes slowly along a straight strand, and as fast along as across a curl.
    stretch = torch.lerp(torch.full_like(fine, 0.05), torch.full_like(fine, 0.5), style.curly)
    seed = style.strand[:, 1:]
    wave = 0.02 * noise.at(torch.stack([across, along], 1) * 0.3 + seed)
    strands = noise.at(torch.stack([(across + wave) * 2.2 * fine, along * stretch], 1) + seed)
    hairs = noise.at(torch.stack([(across + wave) * 5.0, along * stretch * 2], 1) + seed)
    begin = hairline(style.line, place[:, :1])[:, 0]
    uneven = style.line[:, 3] * strands + 0.25 * hairs
    cap = (place[:, 1] - begin + uneven - 0.1) / 0.55
    sides = (1 - place[:, 0].abs()) / 0.10 + 0.8 * strands
    ends = (1 - place[:, 1]) / 0.12 + 0.9 * strands + 0.6 * hairs
    hanging = torch.minimum(sides, ends) * (style.long > 0)
    hair = torch.where(curtain, hanging, cap).clamp(0, 1) * style.worn
    opacity = torch.where(kind == LENS, style.lens[:, 3], hair)
    bright = (1.0 + 0.28 * strands + 0.22 * hairs).clamp(0.25, 2.0)
    return opacity, bright
