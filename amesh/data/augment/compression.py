"""Block compression as in JPEG and video codecs: cosine transform, quantisation and inverse."""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

_BLOCK = 8
# Rows: luma and the two colour differences of full-range BT.601, as in JPEG files.
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
    """Quantises the cosine transform of each 8 x 8 block, more finely at low frequencies.

    Args:
        images: Images in [0, 1].
        step: Four times the quantisation step of a block's mean, per image [of full scale].
    """
    b, _, height, width = images.shape
    to_ycc, from_ycc, transform, table = _constants(str(images.device))
    below, beside = -height % _BLOCK, -width % _BLOCK
    padded = pad(images, (0, beside, 0, below), mode="replicate") if below or beside else images
    h, w = padded.shape[-2] // _BLOCK, padded.shape[-1] // _BLOCK
    ycc = to_ycc @ padded.reshape(b, 3, -1)
    blocks = ycc.reshape(b, 3, h, _BLOCK, w, _BLOCK).transpose(3, 4)  # b 3 h w 8 8
    steps = step[:, None, None, None] * table  # b 3 1 64
    # Folding the steps into the two products saves passes over the pixels.
    cosines = blocks.reshape(b, 3, h * w, _BLOCK**2) @ (transform.T / steps)
    blocks = _round_softly(cosines) @ (transform * steps.transpose(2, 3))
    blocks = blocks.reshape(b, 3, h, w, _BLOCK, _BLOCK)
    ycc = blocks.transpose(3, 4).reshape(b, 3, -1)
    result: Tensor = from_ycc @ ycc
    result = result.reshape(b, 3, h * _BLOCK, w * _BLOCK)
    return result[..., :height, :width].clamp_(0.0, 1.0)


def _round_softly(values: Tensor) -> Tensor:
    """Rounds continuously, so that devices that differ in the last bit agree.

    The remainder r, from -1/2 to 1/2, contributes 16 r^5 instead of being dropped: almost nothing
    around an integer, and equal from both sides at the midpoints.
    """
    whole = values.round()
    rest = values.sub_(whole)
    fourth = rest.square().square_()
    return whole.addcmul_(rest, fourth, value=16.0)


@lru_cache(maxsize=8)
def _constants(device: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Returns RGB to YCC and back (3 3), the block transform (64 64) and the steps (3 1 64)."""
    order = np.arange(_BLOCK)
    basis = np.cos((order + 0.5) * order[:, None] * (np.pi / _BLOCK)) * np.sqrt(2.0 / _BLOCK)
    basis[0] /= np.sqrt(2.0)  # orthonormal, one frequency per row
    # The transform's scale makes the lowest coefficient 8 times the block's mean.
    table = _BLOCK * (1.0 + 0.5 * (order[:, None] + order)) / 4.0
    steps = np.array(_COARSER)[:, None, None] * table.reshape(-1)
    # np.kron transforms the rows and columns of a block at once.
    arrays = (np.array(_YCC), np.linalg.inv(_YCC), np.kron(basis, basis), steps)
    there = [torch.tensor(array, dtype=torch.float32, device=device) for array in arrays]
    return there[0], there[1], there[2], there[3]
