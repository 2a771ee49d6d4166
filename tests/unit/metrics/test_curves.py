import math

import numpy as np
import pytest

from amesh.metrics.curves import area_under_curve, failure_rate


def test_failure_rate_by_hand() -> None:
    errors = np.array([1.0, 10.0, 10.1, np.inf])
    assert failure_rate(errors, 10.0) == 50.0


def test_area_by_hand() -> None:
    assert area_under_curve(np.array([0.0, 5.0, 10.0, np.inf]), 10.0) == pytest.approx(37.5)


def test_area_equals_a_numerical_integral_of_the_cumulative_curve() -> None:
    errors = np.random.default_rng(0).gamma(2.0, 3.0, size=300)
    grid = (np.arange(100_000) + 0.5) / 100_000 * 8.0
    share = np.searchsorted(np.sort(errors), grid, side="right") / len(errors)
    assert area_under_curve(errors, 8.0) == pytest.approx(100 * share.mean(), abs=1e-3)


def test_no_errors_give_nan() -> None:
    assert math.isnan(failure_rate(np.zeros(0), 8.0))
    assert math.isnan(area_under_curve(np.zeros(0), 8.0))


def test_nan_errors_are_refused() -> None:
    with pytest.raises(ValueError, match="1 of 2 errors are not numbers"):
        area_under_curve(np.array([1.0, np.nan]), 8.0)
    with pytest.raises(ValueError, match="threshold above 0, found 0"):
        failure_rate(np.array([1.0]), 0.0)
