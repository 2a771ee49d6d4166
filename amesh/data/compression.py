"""Block compression as JPEG and video codecs do it: cosine transform, quantisation, back."""

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import pad

from amesh.data.random import uniform

_BLOCK = 8
# Rows: luma and two colour differences of full-range BT.601 (as in JPEG files).
_YCC = (
    (0.299, 0.587, 0.114),
    (-0.168736, -0.331264, 0.5),
    (0.5, -0.418688, -0.081312),
)
# Colour is quantised more coarsely than luma.
_COARSER = (1.0, 1.7, 1.7)


def compress(
    images: Float[Tensor, "b 3 s s"], key: Int64[Tensor, " b"], coarsest: float
) -> Float[Tensor, "b 3 s s"]:
    """Quantises the cosine transform of each 8 x 8 block, finer for low frequencies.

    Args:
        images: In [0, 1].
        key: One for each picture.
        coarsest: Largest step of the lowest frequency [of full scale].
    """
    b, _, height, width = images.shape
    step = coarsest * (0.1 + 0.9 * uniform(key, "compression")).square()
    to_ycc = images.new_tensor(_YCC)
    transform = _transform(images)
    below, beside = -height % _BLOCK, -width % _BLOCK
    padded = pad(images, (0, beside, 0, below), mode="replicate") if below or beside else images
    h, w = padded.shape[-2] // _BLOCK, padded.shape[-1] // _BLOCK
    ycc = to_ycc @ padded.reshape(b, 3, -1)
    blocks = ycc.reshape(b, 3, h, _BLOCK, w, _BLOCK).transpose(3, 4)  # b 3 h w 8 8
    cosines = blocks.reshape(b, 3, h * w, _BLOCK**2) @ transform.T
    order = torch.arange(_BLOCK, dtype=images.dtype, device=images.device)
    # The transform's scale makes the lowest coefficient 8 times the block's mean.
    table = _BLOCK * (1.0 + 0.5 * (order[:, None] + order)) / 4.0
    colour = images.new_tensor(_COARSER)[:, None, None]
    steps = step[:, None, None, None] * colour * table.reshape(-1)
    cosines = _round_softly(cosines / steps).mul_(steps)
    blocks = (cosines @ transform).reshape(b, 3, h, w, _BLOCK, _BLOCK)
    ycc = blocks.transpose(3, 4).reshape(b, 3, -1)
    result: Tensor = torch.linalg.inv(to_ycc) @ ycc
    result = result.reshape(b, 3, h * _BLOCK, w * _BLOCK)
    return result[..., :height, :width].clamp_(0.0, 1.0)


def _round_softly(values: Tensor) -> Tensor:
    """Rounding without the jumps, so that devices that differ in the last bit agree."""
    turn = 2.0 * math.pi
    for _ in range(2):
        values = torch.sub(values, torch.sin(turn * values), alpha=1.0 / turn)
    return values


def _transform(like: Tensor) -> Float[Tensor, "64 64"]:
    """The orthonormal cosine transform of a block, rows and columns at once."""
    place = torch.arange(_BLOCK, dtype=like.dtype, device=like.device)
    basis = torch.cos((place + 0.5) * place[:, None] * (math.pi / _BLOCK))
    basis = basis * math.sqrt(2.0 / _BLOCK)
    basis = torch.cat([basis[:1] / math.sqrt(2.0), basis[1:]])  # a frequency a row
    return torch.kron(basis, basis)
