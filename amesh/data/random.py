"""Random numbers without a state: a hash of (seed, epoch, sample, what for) in tensor operations.

What is drawn for a sample depends on nothing else: not on the batch it is in, the rank, the worker,
the device, or what was drawn before. So a run resumes exactly, two ranks equal one, and CPU and GPU
agree (bit by bit for `uniform`; for `normal` to the accuracy of log and cos).
"""

import math
import zlib
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

_MASK = 0xFFFFFFFF
# Odd multipliers below 2^31: products of 32-bit values stay inside int64, with no overflow.
_FIRST, _SECOND, _GOLDEN = 0x7FEB352D, 0x21F0AAAD, 0x1E3779B1


def keys(seed: int, epoch: int, index: Int64[Tensor, " b"]) -> Int64[Tensor, " b"]:
    """A key for each sample, from which everything else is drawn.

    Args:
        seed: Of the run.
        epoch: Counts from 0.
        index: Of the samples in their data set.
    """
    start = _mix(_mix(torch.full_like(index, seed & _MASK)) ^ (epoch & _MASK))
    # Both halves of a 64-bit index count; nobody has 2^64 samples, but -1 is a value too.
    return _mix(_mix(start ^ (index & _MASK)) ^ ((index >> 32) & _MASK))


def fork(key: Int64[Tensor, "*b"], purpose: str) -> Int64[Tensor, "*b"]:
    """Keys for another purpose, independent of those they come from."""
    return _mix(key ^ zlib.crc32(purpose.encode()))


def uniform(
    key: Int64[Tensor, "*b"], purpose: str, shape: Sequence[int] = ()
) -> Float[Tensor, "..."]:
    """Numbers in [0, 1), multiples of 2^-24.

    Args:
        key: One for each sample.
        purpose: What the numbers are for; another purpose gives other numbers.
        shape: How many for each sample.

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
    """Standard normal numbers, float32 of shape (*b, *shape)."""
    radius = uniform(key, purpose + ", radius", shape)
    angle = uniform(key, purpose + ", angle", shape)
    # 1 - u lies in (0, 1]: its logarithm is finite.
    return (-2.0 * torch.log(1.0 - radius)).sqrt() * torch.cos(2.0 * math.pi * angle)


def bell(key: Int64[Tensor, "*b"], purpose: str, shape: Sequence[int] = ()) -> Float[Tensor, "..."]:
    """Numbers in [-1, 1] that crowd around 0 (standard deviation 1/3), float32 (*b, *shape).

    Bounded, so that it is known beforehand how much of a picture an augmentation can reach.
    """
    return uniform(key, purpose, (*shape, 3)).sum(-1) * (2.0 / 3.0) - 1.0


def permutation(seed: int, epoch: int, length: int) -> Int64[Tensor, " length"]:
    """A random order of 0 to length - 1."""
    key = fork(keys(seed, epoch, torch.arange(length)), "order")
    return torch.argsort(key, stable=True)


def _mix(value: Int64[Tensor, "*b"]) -> Int64[Tensor, "*b"]:
    """Spreads every bit over all 32."""
    value = ((value ^ (value >> 16)) * _FIRST) & _MASK
    value = ((value ^ (value >> 15)) * _SECOND) & _MASK
    value = ((value ^ (value >> 14)) * _GOLDEN) & _MASK
    return value ^ (value >> 16)
