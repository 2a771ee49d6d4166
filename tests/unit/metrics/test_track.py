import numpy as np

from amesh.metrics.track import Track, runs, timed_runs


def _track(*frames: int) -> Track:
    numbers = np.array(frames, dtype=np.int64)
    landmarks = np.repeat(numbers[:, None, None], 3, axis=2).astype(np.float32)
    return Track(numbers, numbers / 30, landmarks, landmarks + 1)


def test_a_track_splits_at_its_gaps() -> None:
    parts = runs(_track(2, 3, 5, 8, 9, 10))
    assert [part.frames.tolist() for part in parts] == [[2, 3], [5], [8, 9, 10]]
    assert [part.landmarks[:, 0, 0].tolist() for part in parts] == [[2, 3], [5], [8, 9, 10]]
    assert [part.raw[:, 0, 0].tolist() for part in parts] == [[3, 4], [6], [9, 10, 11]]
    np.testing.assert_allclose(parts[2].times, [8 / 30, 9 / 30, 10 / 30])
    assert runs(_track()) == []


def test_a_time_that_stands_still_ends_a_timed_run_only() -> None:
    track = _track(0, 1, 2, 3, 6)
    track = track._replace(times=np.array([0.0, 0.1, 0.1, 0.2, 0.3]))
    assert [part.frames.tolist() for part in timed_runs(track)] == [[0, 1], [2, 3], [6]]
    assert [part.frames.tolist() for part in runs(track)] == [[0, 1, 2, 3], [6]]
