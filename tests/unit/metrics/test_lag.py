import numpy as np
import pytest

from amesh.metrics.lag import Followed, lag
from amesh.metrics.motion import fit_motion

RATE = 30.0
TIMES = np.arange(120) / RATE
FACE = np.random.default_rng(0).uniform(0, 100, (50, 2))


def _uniform(times: np.ndarray) -> np.ndarray:
    """A face that moves at 90 px/s to the right and 40 up."""
    return FACE + times[:, None, None] * (90.0, -40.0)


def _nodding(times: np.ndarray) -> np.ndarray:
    """A face that nods once a second."""
    return FACE + 20 * np.sin(2 * np.pi * times)[:, None, None] * (0.2, 1.0)


def _lag(raw: np.ndarray, smoothed: np.ndarray, times: np.ndarray = TIMES) -> float:
    """In frames."""
    counted = np.ones(len(times), dtype=bool)
    run = Followed(times, smoothed, fit_motion(times, raw), counted, 60.0)
    return lag([run], 1 / RATE) * RATE


@pytest.mark.parametrize("delay", [0.0, 0.3, 1.0, 1.65, 5.2, -0.7])
@pytest.mark.parametrize("moving", [_uniform, _nodding])
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_a_known_delay_is_found(delay: float, moving: type(_uniform), noise: float) -> None:
    errors = np.random.default_rng(1).normal(0, 1, (2, 120, 50, 2)) * noise
    smoothed = moving(TIMES - delay / RATE) + errors[1]
    assert _lag(moving(TIMES) + errors[0], smoothed) == pytest.approx(delay, abs=0.01)


@pytest.mark.parametrize("share", [0.9, 0.5, 0.3])
def test_exponential_smoothing_lags_by_what_theory_says(share: float) -> None:
    raw = _uniform(TIMES)
    smoothed = raw.copy()
    for i in range(1, len(raw)):
        smoothed[i] = share * raw[i] + (1 - share) * smoothed[i - 1]
    late = TIMES > 1.5  # the filter has settled
    run = Followed(TIMES, smoothed, fit_motion(TIMES, raw), late, 60.0)
    assert lag([run], 1 / RATE) * RATE == pytest.approx((1 - share) / share, abs=0.01)


def test_unsmoothed_landmarks_do_not_lag() -> None:
    raw = _nodding(TIMES) + np.random.default_rng(1).normal(0, 0.3, (120, 50, 2))
    assert _lag(raw, raw) == pytest.approx(0, abs=0.01)


def test_times_count_not_frames() -> None:
    times = TIMES + np.random.default_rng(2).uniform(-0.01, 0.01, 120)
    found = _lag(_nodding(times), _nodding(times - 1.4 / RATE), times)
    assert found == pytest.approx(1.4, abs=0.01)


def test_runs_count_together_each_in_its_own_unit() -> None:
    quick = Followed(
        TIMES, _uniform(TIMES - 0.1), fit_motion(TIMES, _uniform(TIMES)), TIMES > 0, 60.0
    )
    none = quick._replace(counted=TIMES < 0)
    short = quick._replace(times=TIMES[:5], points=quick.points[:5], counted=TIMES[:5] >= 0)
    short = short._replace(motion=fit_motion(short.times, short.points))
    assert lag([none, quick, short], 1 / RATE) == pytest.approx(0.1, abs=0.001)
    # A face twice as near the camera moves twice as fast: it must not outweigh the other.
    late = quick._replace(points=_uniform(TIMES - 0.2))
    near = [part * 2 for part in (late.points, late.motion.position, late.motion.velocity)]
    motion = late.motion._replace(position=near[1], velocity=near[2])
    double = late._replace(points=near[0], motion=motion, length=120.0)
    assert lag([quick, double], 1 / RATE) == pytest.approx(0.15, abs=0.001)


def test_a_lag_beyond_the_range_stays_at_its_end_and_none_is_nan() -> None:
    assert _lag(_uniform(TIMES), _uniform(TIMES - 12 / RATE)) == pytest.approx(8)
    assert np.isnan(lag([], 1 / RATE))
