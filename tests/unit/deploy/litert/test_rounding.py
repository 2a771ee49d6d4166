"""Rounded kernels: a grid of powers of two, near what they were, and smaller once compressed."""

import gzip

import numpy as np
import pytest

from amesh.deploy.litert.rounding import compressible


@pytest.fixture
def kernel() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.05, (64, 1, 1, 64)).astype(np.float32)


def test_numbers_are_multiples_of_one_power_of_two(kernel: np.ndarray):
    step = 2.0**-13  # log2(0.05) is -4.3, nine lower
    rounded = compressible(kernel)
    assert rounded.dtype == np.float32
    np.testing.assert_array_equal(rounded / step, np.rint(rounded / step))
    assert np.abs(rounded - kernel).max() == pytest.approx(step / 2, rel=0.01)


def test_files_compress(kernel: np.ndarray):
    before, after = (len(gzip.compress(k.tobytes())) for k in (kernel, compressible(kernel)))
    assert after < 0.6 * before


def test_small_kernels_and_zeros_stay(kernel: np.ndarray):
    np.testing.assert_array_equal(compressible(kernel[:8]), kernel[:8])
    zeros = np.zeros_like(kernel)
    np.testing.assert_array_equal(compressible(zeros), zeros)
