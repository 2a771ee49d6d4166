"""Stateless random numbers: a hash of (seed, epoch, sample, purpose) in tensor operations.

The numbers of a sample depend on nothing else: not on its batch, the rank, the worker, the device
or earlier draws. So a run resumes exactly, two ranks equal one, and CPU and GPU agree (bit for bit
in `uniform`; in `normal`, to the accuracy of log and cos).
"""

import math
import zlib
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

_MASK = 0xFFFFFFFF
# Odd multipliers below 2^31: their products with 32-bit values do not overflow int64.
_FIRST, _SECOND, _GOLDEN = 0x7FEB352D, 0x21F0AAAD, 0x1E3779B1


def keys(seed: int, epoch: int, index: Int64[Tensor, " b"]) -> Int64[Tensor, " b"]:
    """Returns a key for each sample, from which all its random numbers are derived.

    Args:
        seed: Seed of the run.
        epoch: Epoch, from 0.
        index: Indices of the samples in their data set.
    """
    start = _mix(_mix(torch.full_like(index, seed & _MASK)) ^ (epoch & _MASK))
    # Use both halves of the 64-bit index: large ones do not occur, but -1 does.
    return _mix(_mix(start ^ (index & _MASK)) ^ ((index >> 32) & _MASK))


def fork(key: Int64[Tensor, "*b"], purpose: str) -> Int64[Tensor, "*b"]:
    """Derives keys for another purpose, independent of the given ones."""
    return _mix(key ^ zlib.crc32(purpose.encode()))


def uniform(
    key: Int64[Tensor, "*b"], purpose: str, shape: Sequence[int] = ()
) -> Float[Tensor, "..."]:
    """Draws uniform numbers in [0, 1), in multiples of 2^-24.

    Args:
        key: One key per sample.
        purpose: Purpose of the numbers; each purpose gives independent numbers.
        shape: Shape of the numbers of one sample.

    Returns:
        float32 of shape (*b, *shape).
    """
    counters = torch.arange(math.prod(shape), device=key.device)
    bits = _mix(_mix(fork(key, purpose)[..., None] ^ _mix(counters)) ^ counters)
    values = (bits >> 8).to(torch.float32) * 2.0**-24
    return values.unflatten(-1, list(shape)) if shape else values[..., 0]


def normal(
    key: Int64[Tensor, "*b"], purpose: str, shape: Sequence[int] = ()
) -> Float[Tensor, "..."]:
    """Draws standard normal numbers, float32 of shape (*b, *shape)."""
    radius = uniform(key, purpose + ", radius", shape)
    angle = uniform(key, purpose + ", angle", shape)
    # 1 - u lies in (0, 1]: its logarithm is finite.
    return (-2.0 * torch.log(1.0 - radius)).sqrt() * torch.cos(2.0 * math.pi * angle)


def bell(key: Int64[Tensor, "*b"], purpose: str, shape: Sequence[int] = ()) -> Float[Tensor, "..."]:
    """Draws bell-shaped numbers in [-1, 1], standard deviation 1/3, float32 (*b, *shape).

    They are bounded, so that the part of a picture that an augmentation can reach is known.
    """
    return uniform(key, purpose, (*shape, 3)).sum(-1) * (2.0 / 3.0) - 1.0


def permutation(seed: int, epoch: int, length: int) -> Int64[Tensor, " length"]:
    """Returns a random permutation of 0 to length - 1."""
    key = fork(keys(seed, epoch, torch.arange(length)), "order")
    return torch.argsort(key, stable=True)


def _mix(value: Int64[Tensor, "*b"]) -> Int64[Tensor, "*b"]:
    """Hashes 32-bit values so that every bit affects all 32."""
    value = ((value ^ (value >> 16)) * _FIRST) & _MASK
    value = ((value ^ (value >> 15)) * _SECOND) & _MASK
    value = ((value ^ (value >> 14)) * _GOLDEN) & _MASK
    return value ^ (value >> 16)
