import numpy as np
import pytest
import torch

from amesh.data.label_weights import HALF, spread_of, weight


def test_a_label_counts_half_at_half_and_fully_without_spread():
    assert weight(np.array([0.0, HALF, 3 * HALF])) == pytest.approx([1.0, 0.5, 0.1])


def test_the_spread_follows_from_the_weight():
    spreads = np.array([[0.0, 0.002, HALF, 0.05]])
    weights = torch.from_numpy(weight(spreads[0]))[None]
    assert spread_of(weights)[0].numpy() == pytest.approx(spreads[0], abs=1e-9)


def test_weights_that_are_no_share_give_a_finite_spread():
    found = spread_of(torch.tensor([[0.0, 2.0]]))[0]
    assert found[1] == 0
    assert found[0] == pytest.approx(HALF * 99**0.5)
