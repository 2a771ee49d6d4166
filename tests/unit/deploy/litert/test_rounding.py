"""Rounded kernels: a grid of powers of two, near what they were, and smaller once compressed."""

import gzip

import numpy as np
import pytest

from amesh.deploy.litert.rounding import compressible


@pytest.fixture
def kernel() -> np.ndarray:
    """Two channels that come out, one with a tenth of the other's numbers."""
    numbers = np.random.default_rng(0).normal(0, 0.05, (2, 8, 8, 512))
    return (numbers * [[[[1.0]]], [[[0.1]]]]).astype(np.float32)


def test_numbers_are_multiples_of_a_power_of_two_for_each_channel(kernel: np.ndarray):
    rounded = compressible(kernel)
    assert rounded.dtype == np.float32
    # log2(0.05) is -4.3, log2(0.005) is -7.6; nine lower.
    for channel, step in enumerate((2.0**-13, 2.0**-17)):
        steps = rounded[channel] / step
        np.testing.assert_array_equal(steps, np.rint(steps))
        assert np.abs(rounded - kernel)[channel].max() == pytest.approx(step / 2, rel=0.01)


def test_files_compress(kernel: np.ndarray):
    before, after = (len(gzip.compress(k.tobytes())) for k in (kernel, compressible(kernel)))
    assert after < 0.65 * before


@pytest.mark.parametrize("value", [0, 1e-4])  # far below the step of numbers that differ by 1
def test_small_kernels_and_equal_numbers_stay(kernel: np.ndarray, value: float):
    np.testing.assert_array_equal(compressible(kernel[:1]), kernel[:1])
    kernel[0] = value
    np.testing.assert_array_equal(compressible(kernel)[0], kernel[0])
