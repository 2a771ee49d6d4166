"""The colour of a face's surface: measured modes, detail, hair and make-up."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from amesh.data import random
from amesh.synth.config import SynthConfig
from amesh.synth.masks import NAMES, region_masks
from amesh.synth.model import FaceModel
from amesh.synth.noise import Noise
from amesh.topology import Topology


class Surface(NamedTuple):
    """The colours of the faces of a batch, in linear RGB.

    Attributes:
        texture: (b, 3, t, t) colour on the flat map.
        skin: (b, 3) colour of plain skin.
        hair: (b, 3) colour of hair.
        medical: (b,) 1 if a medical mask covers nose and mouth.
        cloth: (b, 3) colour of the mask.
        tint: (b, 3) factor for eyes and teeth, which were not measured, to match the exposure and
            white balance in the measured colours.
    """

    texture: Float[Tensor, "b 3 t t"]
    skin: Float[Tensor, "b 3"]
    hair: Float[Tensor, "b 3"]
    medical: Float[Tensor, " b"]
    cloth: Float[Tensor, "b 3"]
    tint: Float[Tensor, "b 3"]


class SkinPainter(nn.Module):
    """Draws surfaces."""

    masks: Tensor
    plain: Tensor
    middle: Tensor

    def __init__(self, model: FaceModel, topology: Topology, noise: Noise) -> None:
        super().__init__()
        side = int(model.colour_mean.shape[-1])
        masks = torch.tensor(region_masks(topology, side), dtype=torch.float32)
        self.register_buffer("masks", masks, persistent=False)
        covered = masks[[NAMES.index(n) for n in ("lips", "lids", "lashes", "brows")]].amax(0)
        plain = (1 - covered) * masks[NAMES.index("cheeks")]
        self.register_buffer("plain", plain / plain.sum(), persistent=False)
        middle = (model.colour_mean.exp() * self.plain).sum((1, 2))
        self.register_buffer("middle", middle, persistent=False)
        self.model, self.noise = model, noise

    def forward(self, key: Int64[Tensor, " b"], config: SynthConfig) -> Surface:
        """Draws the surfaces of faces."""
        logs = self.model.colour(key, config.colour)
        side = logs.shape[-1]
        level = 0.5 * random.bell(key, "complexion")
        logs = logs + level[:, None, None, None]
        rough = random.uniform(key, "roughness", [2])
        detail = self.noise.window(key, "pores", side, 1.7)
        fine = self.noise.tiles(key, "grain", (side, side))[:, :1]
        # Use only a part of the residual, which is mostly coarser than pores and is not noise.
        strength = (0.1 + 0.5 * rough[:, :1] ** 2)[..., None, None] * self.model.colour_rest
        logs = logs + strength * (0.6 * detail + 0.45 * fine)
        logs = logs - self._freckles(key, side)
        hair = hair_colours(key)
        texture = logs.clamp(-6, 0.3).exp()
        skin = (texture * self.plain).sum((2, 3))
        texture = self._hairs(texture, key, hair, config)
        texture = self._make_up(texture, key, config)
        medical = (random.uniform(key, "mask") < config.mask).float()
        cloth = _palette(key, "mask's colour", [[0.35, 0.55, 0.65], [0.75, 0.78, 0.8], [0.02] * 3])
        pleats = 1 + 0.12 * torch.sin(torch.arange(side, device=key.device) * 0.55)[:, None]
        cover = self._mask("medical") * medical[:, None, None, None]
        texture = torch.lerp(texture, cloth[:, :, None, None] * pleats, cover)
        tint = (skin / self.middle) ** 0.45
        return Surface(texture, skin, hair, medical, cloth, tint.clamp(0.4, 1.4))

    def _mask(self, name: str) -> Tensor:
        return self.masks[NAMES.index(name)]

    def _freckles(self, key: Int64[Tensor, " b"], side: int) -> Float[Tensor, "b 1 t t"]:
        draw = random.uniform(key, "freckles", [2])
        spots = (self.noise.window(key, "spots", side, 3.1) - 1.3).clamp(0, 0.5)
        return (1.2 * (draw[:, 0] < 0.12) * draw[:, 1])[:, None, None, None] * spots

    def _hairs(
        self,
        texture: Float[Tensor, "b 3 t t"],
        key: Int64[Tensor, " b"],
        hair: Float[Tensor, "b 3"],
        config: SynthConfig,
    ) -> Float[Tensor, "b 3 t t"]:
        """Adds lashes, brows and beards: darker, with single hairs."""
        draw = random.uniform(key, "hairs", [6])
        bearded = (draw[:, 0] < config.beard).float()
        full = torch.where(draw[:, 1] < 0.5, 0.9, 0.45) * bearded
        lip = torch.where(draw[:, 2] < 0.7, full, bearded * 0)
        strands = self.noise.tiles(key, "strands", (texture.shape[-2], texture.shape[-1]))[:, :1]
        strands = (0.8 + 0.35 * strands).clamp(0, 1.3)
        amounts = (
            ("brows", 0.45 * draw[:, 3] ** 1.5),
            ("beard", full),
            ("moustache", torch.maximum(lip, 0.8 * (draw[:, 4] < 0.3 * config.beard))),
        )
        for name, amount in amounts:
            cover = (self._mask(name) * amount[:, None, None, None] * strands).clamp(0, 0.95)
            texture = torch.lerp(texture, 0.8 * hair[:, :, None, None], cover)
        lashes = self._mask("lashes") * (0.25 + 0.6 * draw[:, 5])[:, None, None, None]
        return texture * (1 - lashes)

    def _make_up(
        self, texture: Float[Tensor, "b 3 t t"], key: Int64[Tensor, " b"], config: SynthConfig
    ) -> Float[Tensor, "b 3 t t"]:
        worn = (random.uniform(key, "made up") < config.make_up).float()
        draw = random.uniform(key, "make-up", [3]) * worn[:, None]
        reds = [[0.45, 0.03, 0.05], [0.5, 0.15, 0.18], [0.25, 0.02, 0.06], [0.5, 0.2, 0.15]]
        paints = (
            ("lips", _palette(key, "lipstick", reds), 0.8 * draw[:, 0]),
            ("lids", _palette(key, "shadow", [[0.05] * 3, [0.2, 0.1, 0.15], [0.1, 0.12, 0.25]]),
             0.6 * draw[:, 1]),
            ("cheeks", _palette(key, "blush", [[0.6, 0.2, 0.2], [0.6, 0.3, 0.2]]),
             0.3 * draw[:, 2]),
        )  # fmt: skip
        bright = texture.mean(1, keepdim=True) / 0.25
        for name, colour, amount in paints:
            cover = self._mask(name) * amount[:, None, None, None]
            texture = torch.lerp(texture, colour[:, :, None, None] * bright.clamp(0.3, 2), cover)
        return texture


def hair_colours(key: Int64[Tensor, " b"]) -> Float[Tensor, "b 3"]:
    """Draws hair colours: mostly black and brown, then fair, red, grey and white."""
    kinds = [
        [0.008, 0.007, 0.007], [0.010, 0.008, 0.007], [0.013, 0.010, 0.008], [0.018, 0.012, 0.009],
        [0.022, 0.014, 0.010], [0.035, 0.020, 0.012], [0.05, 0.03, 0.017], [0.07, 0.04, 0.022],
        [0.10, 0.06, 0.03], [0.15, 0.09, 0.045], [0.27, 0.19, 0.10], [0.15, 0.06, 0.03],
        [0.12, 0.115, 0.11], [0.28, 0.27, 0.26],
    ]  # fmt: skip
    base = _palette(key, "hair colour", kinds)
    return base * (0.6 + 0.9 * random.uniform(key, "hair brightness"))[:, None]


def _palette(
    key: Int64[Tensor, " b"], purpose: str, colours: list[list[float]]
) -> Float[Tensor, "b 3"]:
    table = torch.tensor(colours, device=key.device)
    return table[(random.uniform(key, purpose) * len(table)).long()]
