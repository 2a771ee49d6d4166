"""The statistical model of faces, and samples from it."""

import io
import json
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from amesh.data import random
from amesh.errors import UserError
from amesh.synth.controls import NAMES
from amesh.topology import Topology

_VERSION = 1
# Modes are truncated at this many standard deviations: beyond, the results do not look like faces.
_LIMIT = 2.5


class FaceModel(nn.Module):
    """The measured statistics of shapes and colours of faces."""

    mean_shape: Tensor
    shape_modes: Tensor
    control_effects: Tensor
    control_mean: Tensor
    control_quantiles: Tensor
    control_mix: Tensor
    colour_mean: Tensor
    colour_fine: Tensor
    colour_coarse: Tensor
    colour_rest: Tensor

    def __init__(self, topology: Topology) -> None:
        """Loads the packaged file.

        Raises:
            UserError: The topology is not the one that was measured.
        """
        super().__init__()
        data = read_model()
        self.about = data.pop("about")
        if topology.name != self.about["topology"] or topology.points != len(data["mean_shape"]):
            raise UserError(
                f"synthetic faces are made for topology {self.about['topology']!r}, "
                f"not for {topology.name!r}"
            )
        ranks = data.pop("control_ranks")
        values, vectors = np.linalg.eigh(ranks)
        data["control_mix"] = vectors * np.sqrt(values.clip(0))
        for name, value in data.items():
            self.register_buffer(name, torch.tensor(value, dtype=torch.float32), persistent=False)
        # Averages of many faces are blurred: sharpen them.
        for name in ("colour_mean", "colour_fine"):
            setattr(self, name, _sharpened(getattr(self, name)))
        self.colour_rest = _resize(self.colour_rest[None], self.colour_mean.shape[-1])[0]

    def shape(
        self,
        key: Int64[Tensor, " b"],
        controls: Float[Tensor, "b k"],
        strength: float,
    ) -> Float[Tensor, "b n 3"]:
        """Draws frontal faces in the frame of the topology's template.

        Args:
            key: Keys of the samples.
            controls: Expressions; see `draw_controls`.
            strength: Strength of the modes of shape.
        """
        modes = random.normal(key, "shape", [len(self.shape_modes)]).clamp(-_LIMIT, _LIMIT)
        # Explicit sums: the rounding of a matrix product may depend on the batch.
        rest = (modes[:, :, None, None] * self.shape_modes).sum(1) * strength
        change = controls - self.control_mean
        return self.mean_shape + rest + (change[:, :, None, None] * self.control_effects).sum(1)

    def draw_controls(self, key: Int64[Tensor, " b"], strength: float) -> Float[Tensor, "b k"]:
        """Draws expressions: half of them as measured; in the others, some are independent."""
        count = len(NAMES)
        mixed = (random.normal(key, "controls", [count])[:, None, :] * self.control_mix).sum(-1)
        measured = self._quantile(0.5 * (1 + torch.erf(mixed / 2**0.5)))
        wild = self._quantile(random.uniform(key, "wild controls", [count]))
        some = random.uniform(key, "which controls", [count + 1])
        rare = (some[:, :1] < 0.5) & (some[:, 1:] < 0.35)
        chosen = torch.where(rare, wild, measured)
        return self.control_mean + strength * (chosen - self.control_mean)

    def colour(self, key: Int64[Tensor, " b"], strength: float) -> Float[Tensor, "b 3 t t"]:
        """Draws logarithms of linear RGB on the flat map."""
        count = len(self.colour_fine)
        modes = strength * random.normal(key, "colour", [count]).clamp(-_LIMIT, _LIMIT)
        side = self.colour_mean.shape[-1]
        bright = _resize(_mixed(modes, self.colour_fine[:, None]), side)
        coarse = 0.75 * _mixed(modes, self.colour_coarse)  # these include white balance errors
        red, blue = _resize(coarse, side).split(1, 1)
        green = bright - 0.3 * red - 0.1 * blue
        return self.colour_mean + torch.cat([green + red, green, green + blue], 1)

    def _quantile(self, rank: Float[Tensor, "b k"]) -> Float[Tensor, "b k"]:
        """Returns the values of the controls at ranks from 0 to 1."""
        steps = self.control_quantiles.shape[1] - 1
        place = rank.clamp(0, 1) * steps
        low = place.floor().clamp(max=steps - 1)
        table = self.control_quantiles.expand(len(rank), -1, -1)
        first = table.gather(2, low.long()[..., None])[..., 0]
        second = table.gather(2, low.long()[..., None] + 1)[..., 0]
        return first + (place - low) * (second - first)


@cache
def _bytes() -> bytes:
    return (resources.files("amesh.synth") / "face_model.npz").read_bytes()


def read_model() -> dict[str, Any]:
    """Reads the packaged statistics: arrays by name, and `about`.

    Raises:
        UserError: The file has another version.
    """
    with np.load(io.BytesIO(_bytes()), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    about = json.loads(arrays.pop("about").tobytes())
    if about["version"] != _VERSION:
        raise UserError(f"face_model.npz: version {about['version']}, expected {_VERSION}")
    result: dict[str, Any] = {"about": about}
    for name, value in arrays.items():
        if name.endswith("_scale"):
            continue
        scale = arrays.get(f"{name}_scale")
        result[name] = value.astype(np.float64) * (1.0 if scale is None else scale)
    return result


def _mixed(modes: Float[Tensor, "b k"], maps: Float[Tensor, "k c h w"]) -> Float[Tensor, "b c h w"]:
    """Returns weighted sums of maps, without a matrix product, whose rounding depends on size."""
    total = modes[:, 0, None, None, None] * maps[0]
    for number in range(1, len(maps)):
        total.addcmul_(modes[:, number, None, None, None], maps[number])
    return total


def _resize(maps: Float[Tensor, "b c h w"], side: int) -> Float[Tensor, "b c t t"]:
    return nn.functional.interpolate(maps, (side, side), mode="bilinear", align_corners=False)


def _sharpened(maps: Float[Tensor, "c h w"], amount: float = 0.9) -> Float[Tensor, "c h w"]:
    reach = torch.arange(-4, 5, device=maps.device)
    kernel = (-0.5 * (reach / (0.012 * maps.shape[-1])) ** 2).exp()
    kernel = kernel / kernel.sum()
    rows = nn.functional.pad(maps[:, None], [4] * 4, mode="replicate")
    rows = nn.functional.conv2d(rows, kernel.view(1, 1, 1, -1))
    smooth = nn.functional.conv2d(rows, kernel.view(1, 1, -1, 1))[:, 0]
    return maps + amount * (maps - smooth)
