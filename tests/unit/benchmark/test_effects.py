"""What effects cost."""

import time

import cv2
import numpy as np
import pytest

from amesh.benchmark.effects import costs, cpu_ms, in_frame
from amesh.topology import load


def test_the_face_is_enlarged_about_pixel_corners() -> None:
    image = np.zeros((60, 80, 3), np.uint8)
    image[30, 40] = 255  # its middle is (40.5, 30.5)
    face = load().template * 20 + (40, 30, 0)
    face[0, :2] = (40.5, 30.5)
    frame, enlarged = in_frame(image, face)
    assert frame.shape == (720, 1280, 3)
    np.testing.assert_allclose(np.ptp(enlarged[:, :2], axis=0).max(), 400)
    low, high = enlarged[:, :2].min(axis=0), enlarged[:, :2].max(axis=0)
    np.testing.assert_allclose((low + high) / 2, (640, 360))
    weights = frame[..., 0].astype(float)
    rows, columns = np.indices(weights.shape)
    middle = [(weights * (axis + 0.5)).sum() / weights.sum() for axis in (columns, rows)]
    np.testing.assert_allclose(middle, enlarged[0, :2], atol=0.1)


def test_every_effect_is_timed() -> None:
    face = load().template * 100 + (160, 120, 0)
    found = costs(np.full((240, 320, 3), 128, np.uint8), face, 1)
    expected = {"head_pose", "EyeTracker", "Blendshapes", "lipstick", "all five products", "paint"}
    expected |= {"stream: measure", "stream: vmc", "stream: jsonl"}
    assert expected <= found.keys()
    assert min(found.values()) >= 0


def test_times_are_of_the_processor_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, seen, threads = 0, [], cv2.getNumThreads()
    monkeypatch.setattr(time, "process_time_ns", lambda: clock)
    lasts = iter([9, 4, 7, 5])  # the first call is not timed

    def work() -> None:
        nonlocal clock
        seen.append(cv2.getNumThreads())
        clock += next(lasts) * 1_000_000

    found = cpu_ms({"sleep": lambda: time.sleep(0.02), "work": work}, 3)
    assert found == {"sleep": 0, "work": 5}
    assert set(seen) == {1}
    assert cv2.getNumThreads() == threads
