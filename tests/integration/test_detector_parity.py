"""The detectors with the released weights, compared with the released files in their runtime."""

from pathlib import Path

import numpy as np
import pytest
import torch

from amesh.weights import store

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "detectors.npz")

pytestmark = pytest.mark.weights


@pytest.mark.parametrize("name", ["short", "full"])
def test_raw_outputs(name: str):
    """Within 1e-4 of each value, absolute below 1.

    Boxes are in pixels of the input, and logits reach 260 on noise. That is the limit of single
    precision: both runtimes are 0.6e-4 to 2.8e-4 away from the network in double precision.
    """
    net = store.load(f"detector-{name}")
    pixels = torch.from_numpy(GOLDEN[f"{name}_inputs"]).permute(0, 3, 1, 2).float()
    with torch.inference_mode():
        output = net(pixels / 127.5 - 1)
    for found, released in (
        (output.boxes.numpy(), GOLDEN[f"{name}_regressors"]),
        (output.scores.numpy(), GOLDEN[f"{name}_classificators"][..., 0]),
    ):
        assert (np.abs(found - released) / np.maximum(1, np.abs(released))).max() <= 1e-4
