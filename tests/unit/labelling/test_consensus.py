import numpy as np
import pytest

from amesh.data.label_weights import weight
from amesh.labelling.consensus import consensus


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


def test_answers_count_by_their_weights():
    """Of 8 times 1 and 8 times 3, an eighth of the total is trimmed: 4 of the 8, 4 of the 24."""
    looks = np.concatenate([answers(), answers() + 8.0])
    counts = np.repeat([[1.0], [3.0]], 8, axis=0).repeat(3, axis=1)
    found = consensus(looks, counts)
    np.testing.assert_allclose(found.landmarks, answers()[0] + 8.0 * 20 / 24)
    # Not trimmed: a quarter of the weight is 6 px away from the mean, the rest 2 px.
    squared = (20 / 3) ** 2 / 4 + (4 / 3) ** 2 * 3 / 4
    np.testing.assert_allclose(found.spread_z, np.sqrt(squared) / 100)
    np.testing.assert_allclose(found.spread_xy, np.sqrt(2 * squared) / 100)


def test_an_answer_of_no_weight_is_not_heard():
    looks = answers(16)
    looks[:8, 1] += np.arange(8)[:, None]
    strange = np.concatenate([looks[:8], np.full((8, 3, 3), 1e4)])
    counts = np.ones((16, 3))
    counts[8:] = 0
    for one, other in zip(consensus(strange, counts), consensus(looks[:8]), strict=True):
        np.testing.assert_allclose(one, other)


def test_weights_as_whole_numbers_are_repeated_answers():
    rng = np.random.default_rng(0)
    looks = answers() + rng.normal(size=(8, 3, 3))
    counts = rng.integers(1, 4, (8, 1)).repeat(3, axis=1)
    repeated = looks.repeat(counts[:, 0], axis=0)
    for one, other in zip(consensus(looks, counts * 0.1), consensus(repeated), strict=True):
        np.testing.assert_allclose(one, other)
