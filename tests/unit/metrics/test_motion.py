import numpy as np
import pytest
from scipy.signal import savgol_filter

from amesh.metrics.motion import HALF, at, fit_motion, pace

UNEVEN = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.08, 40))


def _parabola(times: np.ndarray) -> np.ndarray:
    """Two points, uniformly accelerated."""
    start, speed, bend = np.array(
        [[[5.0, 9.0], [0.0, 1.0]], [[30, -20], [4, 0]], [[8, 8], [-9, 2]]]
    )
    t = times[:, None, None]
    return start + t * (speed + t * bend)


def test_at_an_even_rate_it_is_the_filter_of_savitzky_and_golay() -> None:
    points = np.random.default_rng(0).normal(size=(30, 4, 2))
    times = np.arange(30) / 25
    found = fit_motion(times, points)
    for deriv, ours in enumerate((found.position, found.velocity, 2 * found.bend)):
        theirs = savgol_filter(points, 9, 2, deriv=deriv, delta=1 / 25, axis=0)
        np.testing.assert_allclose(ours, theirs[HALF:-HALF], atol=1e-9)
    np.testing.assert_allclose(found.weight, 59 / 231)
    np.testing.assert_allclose(found.times, times[HALF:-HALF])


def test_accelerated_motion_is_fitted_exactly_at_an_uneven_rate() -> None:
    found = fit_motion(UNEVEN, _parabola(UNEVEN))
    np.testing.assert_allclose(found.position, _parabola(UNEVEN)[HALF:-HALF], atol=1e-9)
    np.testing.assert_allclose(
        found.bend, np.broadcast_to([[8, 8], [-9, 2]], (32, 2, 2)), atol=1e-8
    )
    between = np.linspace(UNEVEN[HALF], UNEVEN[-HALF - 1], 77)
    np.testing.assert_allclose(at(found, between), _parabola(between), atol=1e-8)


def test_pace_is_the_speed_in_lengths_per_second() -> None:
    times = np.arange(12) / 30
    points = np.stack([np.zeros((12, 3)), 90.0 * times[:, None] * (1, 1, 1)], axis=-1)
    np.testing.assert_allclose(pace(fit_motion(times, points), 60.0), np.full(4, 1.5))


@pytest.mark.parametrize(("frames", "fits"), [(0, 0), (8, 0), (9, 1), (10, 2)])
def test_every_fit_needs_nine_frames(frames: int, fits: int) -> None:
    found = fit_motion(np.arange(frames) / 30, np.zeros((frames, 5, 2)))
    assert found.position.shape == (fits, 5, 2)
    assert pace(found, 60.0).shape == (fits,)


def test_times_that_stand_still_are_refused() -> None:
    with pytest.raises(ValueError, match="times that increase"):
        fit_motion(np.array([0.0, 0.1, 0.1]), np.zeros((3, 1, 2)))


def test_one_fit_is_no_path() -> None:
    with pytest.raises(ValueError, match="two fits or more, found 1"):
        at(fit_motion(np.arange(9) / 30, np.zeros((9, 1, 2))), np.array([0.1]))
