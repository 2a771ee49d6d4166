"""Quaternions of angles."""

import numpy as np
import pytest
from posed_heads import turned
from scipy.spatial.transform import Rotation

from amesh.streaming.quaternion import quaternion


@pytest.mark.parametrize("angles", [(30, 20, 10), (-70, 5, -40), (0, 0, 0), (150, -80, 90)])
def test_it_turns_as_the_head_does(angles: tuple[float, float, float]) -> None:
    found = np.array(quaternion(*angles))
    expected = Rotation.from_matrix(turned(*angles)).as_quat()
    assert found == pytest.approx(expected * np.sign(expected @ found), abs=1e-9)
    assert found[3] >= 0


def test_signs() -> None:
    half = 0.70710678
    assert quaternion(90, 0) == pytest.approx((0, -half, 0, half))
    assert quaternion(0, 90) == pytest.approx((half, 0, 0, half))
    assert quaternion(0, 0, 90) == pytest.approx((0, 0, half, half))
