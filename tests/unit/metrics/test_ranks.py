import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from amesh.metrics.ranks import ranks, spearman


def test_equal_values_share_their_places() -> None:
    assert ranks(np.array([5.0, 1.0, 5.0, 9.0])).tolist() == [1.5, 0.0, 1.5, 3.0]


def test_ranks_are_those_of_scipy() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 9, 200).astype(float), rng.normal(size=200)
    np.testing.assert_allclose(ranks(first), rankdata(first) - 1)
    assert spearman(first, second) == pytest.approx(spearmanr(first, second).statistic)


def test_a_falling_order_is_minus_one_whatever_the_distances() -> None:
    assert spearman(np.array([1.0, 2.0, 3.0]), np.array([9.0, 8.9, -70.0])) == -1.0


def test_without_differences_there_is_no_correlation() -> None:
    assert np.isnan(spearman(np.array([1.0, 1.0]), np.array([1.0, 2.0])))
    assert np.isnan(spearman(np.zeros(0), np.zeros(0)))
