import math

import numpy as np
import pytest

from amesh.metrics.depth import depth_agreement


def test_only_differences_within_the_face_count() -> None:
    truth = np.array([0.0, 3.0, 9.0, -2.0])
    found = depth_agreement(truth + 100.0, truth)
    assert found == pytest.approx((0.0, 1.0, 1.0), abs=1e-9)


def test_by_hand() -> None:
    # About their means: predicted -1, 1, 0 and true -3, 1, 2.
    found = depth_agreement(np.array([4.0, 6.0, 5.0]), np.array([0.0, 4.0, 5.0]))
    assert found.rms == pytest.approx(math.sqrt((4 + 0 + 4) / 3))
    assert found.correlation == pytest.approx(4 / math.sqrt(2 * 14))
    assert found.slope == pytest.approx(4 / 14)


def test_equals_numpy() -> None:
    ours, theirs = np.random.default_rng(0).normal(size=(2, 50))
    found = depth_agreement(ours, theirs)
    assert found.correlation == pytest.approx(np.corrcoef(ours, theirs)[0, 1])
    assert found.slope == pytest.approx(np.polyfit(theirs, ours, 1)[0])
    assert found.rms == pytest.approx(np.std(ours - theirs))


def test_a_flat_face_has_no_correlation() -> None:
    flat, deep = np.zeros(3), np.array([1.0, 2.0, 3.0])
    assert math.isnan(depth_agreement(flat, deep).correlation)
    assert depth_agreement(flat, deep).slope == 0.0
    assert math.isnan(depth_agreement(deep, flat).slope)
