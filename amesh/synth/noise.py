"""Cheap noise: fixed patterns, of which each sample uses another part."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from amesh.data import random

_SIDE = 256


class Noise(nn.Module):
    """Seamless tiles of white noise and of noise at all scales.

    Attributes:
        white: (3, side, side) independent pixels, standard deviation 1.
        cloudy: (1, side, side) large and small spots, standard deviation 1.
    """

    white: Tensor
    cloudy: Tensor
    wrapped: Tensor

    def __init__(self) -> None:
        super().__init__()
        key = random.keys(0, 0, torch.arange(4))
        white = random.normal(key, "pattern", [_SIDE, _SIDE])
        self.register_buffer("white", white[:3], persistent=False)
        # The amplitude falls with frequency, as in most photographs.
        frequency = torch.fft.fftfreq(_SIDE)
        radius = (frequency[:, None] ** 2 + frequency[None] ** 2).sqrt()
        spectrum = torch.fft.fft2(white[3]) / (radius + 2.0 / _SIDE) ** 1.1
        spectrum[0, 0] = 0
        cloudy = torch.fft.ifft2(spectrum).real
        cloudy = cloudy / cloudy.std()
        self.register_buffer("cloudy", cloudy[None], persistent=False)
        wrapped = torch.cat(
            [torch.cat([cloudy, cloudy[:1]]), torch.cat([cloudy, cloudy[:1]])[:, :1]], 1
        )
        self.register_buffer("wrapped", wrapped.flatten(), persistent=False)

    def tiles(
        self, key: Int64[Tensor, " b"], purpose: str, size: tuple[int, int]
    ) -> Float[Tensor, "b 3 h w"]:
        """Returns white noise for each sample: the pattern from a random position."""
        at = (random.uniform(key, purpose, [2]) * _SIDE).long()
        steps = [torch.arange(side, device=key.device) for side in size]
        rows = (at[:, :1] + steps[0]) % _SIDE
        columns = (at[:, 1:] + steps[1]) % _SIDE
        places = (rows[:, :, None] * _SIDE + columns[:, None]).flatten()
        found = self.white.flatten(1).index_select(1, places)
        return found.view(3, len(key), *size).transpose(0, 1)

    def at(self, places: Float[Tensor, "p 2"]) -> Float[Tensor, " p"]:
        """Samples cloudy noise, which has a period of 1 along each axis."""
        place = (places - places.floor()) * _SIDE
        low = place.floor()
        share = place - low
        at = low.clamp(max=_SIDE - 1).long()
        index = at[:, 1] * (_SIDE + 1) + at[:, 0]
        corners = [self.wrapped.index_select(0, index + s) for s in (0, 1, _SIDE + 1, _SIDE + 2)]
        top = torch.lerp(corners[0], corners[1], share[:, 0])
        bottom = torch.lerp(corners[2], corners[3], share[:, 0])
        return torch.lerp(top, bottom, share[:, 1])

    def window(
        self, key: Int64[Tensor, " b"], purpose: str, side: int, scale: float
    ) -> Float[Tensor, "b 1 t t"]:
        """Returns a square of cloudy noise for each sample, `scale` tiles wide."""
        start = random.uniform(key, purpose, [2])
        line = torch.arange(side, device=key.device) / side * scale
        y, x = torch.meshgrid(line, line, indexing="ij")
        places = torch.stack([x, y], -1) + start[:, None, None]
        return self.at(places.flatten(0, 2)).view(-1, 1, side, side)
