import numpy as np
import pytest

from amesh.metrics.shaking import face_jitter, landmark_jitter, onto


def _moving(frames: int, points: int = 40) -> np.ndarray:
    """A face that is shifted, turned and scaled evenly, in an even frame rate."""
    random = np.random.default_rng(0)
    face = random.normal(0, 50, (points, 2))
    steps = np.arange(frames)
    angle, scale = 0.02 * steps, np.exp(0.003 * steps)
    turn = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], -1)
    return (
        np.einsum("tij,nj->tni", (scale[:, None] * turn).reshape(-1, 2, 2), face)
        + np.stack([3.0 * steps, -2.0 * steps], -1)[:, None]
    )


def test_rigid_motion_is_not_jitter():
    track = _moving(20)
    assert landmark_jitter(track, np.full(20, 60.0)).max() < 1e-9


def test_independent_noise_is_measured_correctly():
    random = np.random.default_rng(1)
    track = _moving(400) + random.normal(0, 0.3, (400, 40, 2))
    found = landmark_jitter(track, np.full(400, 60.0))
    # Root mean square distance of the noise over the length; the similarity takes 4 of 80 numbers.
    expected = 100 * 0.3 * np.sqrt(2) / 60
    assert np.sqrt((found**2).mean()) == pytest.approx(expected, rel=0.05)


def test_literal_values():
    track = np.zeros((3, 3, 2))
    track[:] = [[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]]
    track[1] += [1.0, 0.0]  # the whole face jumps to the side and back
    length = np.full(3, 10.0)
    np.testing.assert_allclose(face_jitter(track, length), [100 * 2 / np.sqrt(6) / 10])
    assert landmark_jitter(track, length).max() < 1e-12


def test_slow_expressions_hardly_count():
    track = _moving(100)
    steps = np.arange(100)
    track[:, 0, 1] += 5 * np.sin(2 * np.pi * steps / 50)  # a lid that moves in two seconds
    found = landmark_jitter(track, np.full(100, 60.0))[:, 0].max()
    assert found < 0.02 * 100 * 5 / 60


def test_alignment_inverts_a_similarity():
    track = _moving(5)
    np.testing.assert_allclose(onto(track, np.roll(track, 1, axis=0)), np.roll(track, 1, axis=0))


def test_two_frames_are_too_few():
    with pytest.raises(ValueError, match="expected 3 or more frames, found 2"):
        landmark_jitter(np.zeros((2, 4, 2)), np.ones(2))
