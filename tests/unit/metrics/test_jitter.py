import numpy as np
import pytest

from amesh.metrics.jitter import jitter, steps
from amesh.metrics.motion import fit_motion


def _noisy(frames: int, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """A still face with independent errors in every frame, and its times."""
    random = np.random.default_rng(1)
    face = random.uniform(0, 200, (200, 2))
    return np.arange(frames) / 30, face + random.normal(0, sigma, (frames, 200, 2))


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt((values**2).mean()))


def test_independent_errors_give_their_own_size() -> None:
    times, points = _noisy(400, 0.3)
    expected = 100 * 0.3 * np.sqrt(2) / 60  # root mean square distance over the length
    assert _rms(jitter(points, fit_motion(times, points), 60.0)) == pytest.approx(
        expected, rel=0.01
    )
    assert _rms(steps(points, 60.0)) == pytest.approx(np.sqrt(2) * expected, rel=0.01)


def test_the_size_of_errors_does_not_depend_on_the_frame_rate() -> None:
    _, points = _noisy(400, 0.3)
    times = np.cumsum(np.random.default_rng(2).uniform(0.02, 0.06, 400))
    expected = 100 * 0.3 * np.sqrt(2) / 60
    assert _rms(jitter(points, fit_motion(times, points), 60.0)) == pytest.approx(
        expected, rel=0.02
    )


def test_a_moving_average_leaves_the_predicted_jitter() -> None:
    times, points = _noisy(600, 0.3)
    smoothed = (points[2:] + points[1:-1] + points[:-2]) / 3
    # The average's residual is a linear filter of white noise: its gain is known.
    fit = np.array([-21, 14, 39, 54, 59, 54, 39, 14, -21]) / 231
    residual = np.convolve(np.eye(9)[4] - fit, np.full(3, 1 / 3))
    expected = 100 * 0.3 * np.sqrt(2) / 60 * np.sqrt((residual**2).sum() / (1 - 59 / 231))
    found = _rms(jitter(smoothed, fit_motion(times[1:-1], smoothed), 60.0))
    assert found == pytest.approx(expected, rel=0.01)
    assert expected < 0.5 * 100 * 0.3 * np.sqrt(2) / 60


def test_steady_motion_is_no_jitter_but_gives_steps() -> None:
    times = np.arange(20) / 30
    points = np.zeros((20, 4, 2)) + 60 * times[:, None, None] * (3.0, 4.0)
    assert jitter(points, fit_motion(times, points), 50.0).max() < 1e-9
    np.testing.assert_allclose(steps(points, 50.0), np.full(19, 100 * 60 * 5 / 30 / 50))
