import math
from collections.abc import Callable

import numpy as np
import pytest

from amesh.errors import UserError
from amesh.pipeline.smoothing import PRESETS, OneEuro, Smoother, as_one_euro
from amesh.topology import load

FACE = 100 * load().template  # 100 px from eye to eye
SIZE = float(np.ptp(FACE[:, :2], axis=0).mean())
STEP = 1 / 30


def weight(cutoff: float, step: float) -> float:
    """Of the newest value in an exponential filter: 1 / (1 + tau / step)."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff) / step)


def test_noise_on_a_still_face_falls_by_the_predicted_factor():
    smoother = Smoother(OneEuro(min_cutoff=1.0, beta=0.0))
    noise = np.random.default_rng(0).normal(size=(600, *FACE.shape))
    smooth = np.array([smoother(FACE + part, i * STEP) for i, part in enumerate(noise)])
    ratio = (smooth[100:] - FACE).var() / noise[100:].var()
    a = weight(1.0, STEP)
    assert ratio == pytest.approx(a / (2 - a), rel=0.02)


@pytest.mark.parametrize("name", ["mediapipe", "light", "strong"])
@pytest.mark.parametrize("step", [1 / 60, 1 / 10])
def test_a_moving_face_lags_by_one_over_two_pi_cutoff(name: str, step: float):
    settings = PRESETS[name]
    speed = 0.8  # faces per second
    smoother = Smoother(settings)
    for i in range(round(8 / step)):
        face = FACE + np.array([speed * SIZE * i * step, 0, 0])
        smooth = smoother(face, i * step)
    lag = speed * SIZE / (2 * math.pi * (settings.min_cutoff + settings.beta * speed))
    np.testing.assert_allclose((face - smooth)[:, 0], lag, rtol=1e-3)
    np.testing.assert_allclose(smooth[:, 1:], face[:, 1:], atol=1e-9)


def test_each_coordinate_is_filtered_like_a_number_alone():
    """A second implementation, value by value, after the paper's algorithm."""
    settings, rng = OneEuro(0.3, 20.0, 2.0), np.random.default_rng(1)
    times = np.cumsum(rng.uniform(0.01, 0.3, 40))
    frames = FACE + np.cumsum(rng.normal(size=(40, *FACE.shape)), axis=0)
    smoother = Smoother(settings)
    answers = [smoother(frame, time) for frame, time in zip(frames, times, strict=True)]
    for point, axis in [(0, 0), (33, 1), (477, 2)]:
        previous, smooth, speed = frames[0, point, axis], frames[0, point, axis], 0.0
        for i in range(1, 40):
            value, step = frames[i, point, axis], times[i] - times[i - 1]
            size = np.ptp(frames[i, :, :2], axis=0).mean()
            a = weight(settings.derivative_cutoff, step)
            speed = a * (value - previous) / step / size + (1 - a) * speed
            a = weight(settings.min_cutoff + settings.beta * abs(speed), step)
            smooth = a * value + (1 - a) * smooth
            previous = value
            assert answers[i][point, axis] == pytest.approx(smooth, rel=1e-12)


def test_a_larger_picture_is_smoothed_alike():
    small, large = Smoother(PRESETS["mediapipe"]), Smoother(PRESETS["mediapipe"])
    for i, shift in enumerate(np.random.default_rng(2).normal(size=20)):
        one, other = small(FACE + shift, i * STEP), large(4 * (FACE + shift), i * STEP)
    np.testing.assert_allclose(other, 4 * one, rtol=1e-12)


@pytest.mark.parametrize("back", [0.0, 0.2])
def test_a_time_that_does_not_grow_repeats_the_last_answer(back: float):
    smoother, control = (Smoother(PRESETS["mediapipe"]) for _ in range(2))
    for i in range(5):
        last = smoother(FACE + i, 1 + i * STEP)
        control(FACE + i, 1 + i * STEP)
    np.testing.assert_array_equal(smoother(FACE + 50, 1 + 4 * STEP - back), last)
    later = 1 + 5 * STEP
    np.testing.assert_array_equal(smoother(FACE + 5, later), control(FACE + 5, later))


@pytest.mark.parametrize("gap", [0.501, 7.0, -0.501])
def test_after_half_a_second_without_frames_it_starts_afresh(gap: float):
    smoother = Smoother(PRESETS["mediapipe"])
    smoother(FACE, 10.0)
    moved = FACE + 3
    np.testing.assert_array_equal(smoother(moved, 10.0 + gap), moved)
    # And goes on from there.
    assert not np.array_equal(smoother(FACE, 10.0 + gap + STEP), FACE)


def test_within_half_a_second_it_goes_on():
    smoother = Smoother(PRESETS["mediapipe"])
    smoother(FACE, 10.0)
    assert not np.array_equal(smoother(FACE + 3, 10.499), FACE + 3)


def test_a_face_without_extent_is_smoothed_as_at_rest():
    smoother = Smoother(OneEuro(1.0, 80.0))
    smoother(np.zeros((4, 3)), 0.0)
    np.testing.assert_allclose(smoother(np.ones((4, 3)), 0.1), weight(1.0, 0.1))


def test_settings_come_by_name_or_as_they_are():
    own = OneEuro(0.5, 10)
    assert as_one_euro(own) is own
    assert as_one_euro("mediapipe") == OneEuro(0.05, 80, 1)
    assert as_one_euro("off") is None
    assert as_one_euro(None) is None
    for wrong in ("medium", 3, ("light",)):
        with pytest.raises(UserError, match="choose one of mediapipe, light"):
            as_one_euro(wrong)


@pytest.mark.parametrize(
    "numbers", [(0.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0, 0.0), (math.nan, 1.0)]
)
def test_numbers_out_of_range_are_refused(numbers: tuple[float, ...]):
    with pytest.raises(UserError, match=r"OneEuro: .* expected"):
        OneEuro(*numbers)


def test_settings_may_be_numbers_of_numpy(run_python: Callable[[str], str]):
    printed = run_python("""
import numpy as np
from amesh.pipeline.smoothing import OneEuro, Smoother
one, other = Smoother(OneEuro(0.5, 2)), Smoother(OneEuro(np.float32(0.5), np.int64(2)))
for i in range(3):
    landmarks = np.full((3, 3), i, float) + np.eye(3)
    np.testing.assert_array_equal(one(landmarks, i / 30), other(landmarks, i / 30))
print("equal")
""")
    assert printed == "equal\n"
