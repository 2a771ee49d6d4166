"""Affines and regions of interest give the same numbers in NumPy and in PyTorch."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from amesh.geometry import affine, roi
from amesh.geometry.arrays import Array, namespace

RANDOM = np.random.default_rng(0)
AFFINES, OTHERS = RANDOM.normal(size=(2, 5, 2, 3))
POINTS = RANDOM.normal(size=(5, 7, 2))
CENTRES, SIZES, ANGLES = POINTS[:, 0], np.abs(AFFINES[:, 0, 0]), AFFINES[:, 1, 1]
RULE = (1.3, (0.1, -0.2))

CALLS: dict[str, tuple[Callable[..., Any], tuple[np.ndarray, ...]]] = {
    "apply": (affine.apply, (AFFINES, POINTS)),
    "compose": (affine.compose, (AFFINES, OTHERS)),
    "invert": (affine.invert, (AFFINES,)),
    "similarity": (affine.similarity, (CENTRES, POINTS[:, 1], POINTS[:, 2])),
    "from_landmarks": (lambda p: roi.from_landmarks(p, p[:, :2], RULE), (POINTS,)),
    "level": (lambda p: roi.level(p[:, :2], p[:, 2:4], 0.5), (POINTS,)),
    "turned": (lambda *parts: roi.turned(roi.Roi(*parts), 0.5, RULE), (CENTRES, SIZES, ANGLES)),
    "image_from_crop": (
        lambda *parts: roi.image_from_crop(roi.Roi(*parts), 192),
        (CENTRES, SIZES, ANGLES),
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_convention_results_come_from_the_library_of_the_arguments(name: str):
    function, arguments = CALLS[name]
    found = function(*arguments)
    same = function(*map(torch.from_numpy, arguments))
    pairs = zip(found, same, strict=True) if isinstance(found, tuple) else [(found, same)]
    for array, tensor in pairs:
        assert isinstance(array, np.ndarray)
        assert isinstance(tensor, torch.Tensor)
        assert tensor.dtype == torch.float64
        np.testing.assert_allclose(array, tensor.numpy(), rtol=0, atol=1e-12)


def test_the_namespace_is_that_of_the_array():
    cases: list[tuple[Array, Any]] = [(np.zeros(1), np), (torch.zeros(1), torch)]
    for array, library in cases:
        assert namespace(array) is library


def test_arrays_do_not_bring_pytorch_along(run_python: Callable[[str], str]):
    run_python("""
import sys
from amesh.geometry import affine, roi
square = roi.turned(roi.Roi.at(1, 2, 3), 0.1)
affine.invert(roi.image_from_crop(square, 192))
assert "torch" not in sys.modules
""")
