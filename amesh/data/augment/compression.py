"""Block compression as JPEG and video codecs do it: cosine transform, quantisation, back."""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

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
    images: Float[Tensor, "b 3 s s"], step: Float[Tensor, " b"]
) -> Float[Tensor, "b 3 s s"]:
    """Quantises the cosine transform of each 8 x 8 block, finer for low frequencies.

    Args:
        images: In [0, 1].
        step: For each picture, four times the step of the mean of a block [of full scale].
    """
    b, _, height, width = images.shape
    to_ycc, from_ycc, transform, table = _constants(str(images.device))
    below, beside = -height % _BLOCK, -width % _BLOCK
    padded = pad(images, (0, beside, 0, below), mode="replicate") if below or beside else images
    h, w = padded.shape[-2] // _BLOCK, padded.shape[-1] // _BLOCK
    ycc = to_ycc @ padded.reshape(b, 3, -1)
    blocks = ycc.reshape(b, 3, h, _BLOCK, w, _BLOCK).transpose(3, 4)  # b 3 h w 8 8
    steps = step[:, None, None, None] * table  # b 3 1 64
    # The steps are part of the two products: fewer passes over the pixels.
    cosines = blocks.reshape(b, 3, h * w, _BLOCK**2) @ (transform.T / steps)
    blocks = _round_softly(cosines) @ (transform * steps.transpose(2, 3))
    blocks = blocks.reshape(b, 3, h, w, _BLOCK, _BLOCK)
    ycc = blocks.transpose(3, 4).reshape(b, 3, -1)
    result: Tensor = from_ycc @ ycc
    result = result.reshape(b, 3, h * _BLOCK, w * _BLOCK)
    return result[..., :height, :width].clamp_(0.0, 1.0)


def _round_softly(values: Tensor) -> Tensor:
    """Rounding without the jumps, so that devices that differ in the last bit agree.

    What is left of a number after rounding, from -1/2 to 1/2, is not dropped: it counts its fifth
    power, 16 r^5, which is nothing in the middle and meets its neighbour at the ends.
    """
    whole = values.round()
    rest = values.sub_(whole)
    fourth = rest.square().square_()
    return whole.addcmul_(rest, fourth, value=16.0)


@lru_cache(maxsize=8)
def _constants(device: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """To the three colours and back (3 3), transform of a block (64 64), its steps (3 1 64)."""
    order = np.arange(_BLOCK)
    basis = np.cos((order + 0.5) * order[:, None] * (np.pi / _BLOCK)) * np.sqrt(2.0 / _BLOCK)
    basis[0] /= np.sqrt(2.0)  # orthonormal, a frequency a row
    # The transform's scale makes the lowest coefficient 8 times the block's mean.
    table = _BLOCK * (1.0 + 0.5 * (order[:, None] + order)) / 4.0
    steps = np.array(_COARSER)[:, None, None] * table.reshape(-1)
    # The transform: rows and columns of a block at once.
    arrays = (np.array(_YCC), np.linalg.inv(_YCC), np.kron(basis, basis), steps)
    there = [torch.tensor(array, dtype=torch.float32, device=device) for array in arrays]
    return there[0], there[1], there[2], there[3]
