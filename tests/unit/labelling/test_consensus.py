import numpy as np
import pytest

from amesh.labelling.consensus import HALF, consensus, weight


def answers(count: int = 8) -> np.ndarray:
    """Three landmarks that span 100 px, seen the same every time."""
    points = np.array([[0.0, 0.0, 1.0], [100.0, 0.0, 2.0], [50.0, 60.0, 3.0]])
    return points[None].repeat(count, axis=0)


def test_looks_that_agree_give_what_they_saw():
    found = consensus(answers())
    np.testing.assert_allclose(found.landmarks, answers()[0])
    assert found.size == 100.0
    assert not found.spread_xy.any()
    assert not found.spread_z.any()


def test_the_spread_is_in_sizes_of_the_face_and_z_has_its_own():
    looks = answers(4)
    looks[:, 1, 0] += np.array([-3.0, 3.0, -3.0, 3.0])
    looks[:, 1, 1] += np.array([-4.0, 4.0, 4.0, -4.0])
    looks[:, 2, 2] += np.array([-2.0, 2.0, 2.0, -2.0])
    found = consensus(looks)
    np.testing.assert_allclose(found.spread_xy, [0, 0.05, 0], atol=1e-9)
    np.testing.assert_allclose(found.spread_z, [0, 0, 0.02], atol=1e-9)


@pytest.mark.parametrize("away", [-500.0, 500.0])
def test_one_stray_view_moves_nothing_but_counts_as_disagreement(away: float):
    looks = answers()
    looks[3, 2] += away
    found = consensus(looks)
    np.testing.assert_allclose(found.landmarks, answers()[0])
    assert found.spread_xy[2] > 1
    assert weight(found.spread_xy)[2] < 1e-4


def test_a_label_counts_half_where_looks_spread_by_half():
    spread = np.array([0.0, HALF, 3 * HALF])
    np.testing.assert_allclose(weight(spread), [1.0, 0.5, 0.1], rtol=1e-6)
