import numpy as np
import pytest

from amesh.metrics.continuity import Continuity, continuity
from amesh.metrics.track import Track


def _track(*frames: int) -> Track:
    numbers = np.array(frames, dtype=np.int64)
    landmarks = np.repeat(numbers[:, None, None], 3, axis=2).astype(np.float32)
    return Track(numbers, numbers / 30, landmarks, landmarks + 1)


def test_a_face_that_leaves_and_returns() -> None:
    same, new = {0: _track(0, 1, 2, 6, 7)}, {0: _track(0, 1, 2), 1: _track(6, 7)}
    assert continuity(same, 8) == Continuity(100 * 5 / 8, 1, 1, 1)
    assert continuity(new, 8) == Continuity(100 * 5 / 8, 2, 1, 0)
    assert continuity(new, 9).losses == 2  # gone before the clip ended


def test_frames_with_two_faces_count_once() -> None:
    assert continuity({0: _track(0, 1), 5: _track(1, 2)}, 4) == Continuity(75, 2, 2, 0)


def test_a_clip_without_a_face() -> None:
    assert continuity({}, 4) == Continuity(0, 0, 0, 0)
    assert continuity({}, 0).share == pytest.approx(np.nan, nan_ok=True)
