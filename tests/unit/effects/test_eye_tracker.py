"""Blinks are counted once, and leave the gaze alone."""

import numpy as np
import pytest
from posed_heads import lids_at, looking, seen, turned

from amesh import UserError
from amesh.effects.camera import Camera
from amesh.effects.eye_tracker import EyeTracker
from amesh.effects.eyes import eyes

CAMERA = Camera.from_fov(1280, 720, vertical=50)
PLACE = (60.0, -30.0, 450.0)
OPEN = float(eyes(seen(CAMERA, turned(), PLACE, looking()), CAMERA).opening.mean())


def frame(opening: float, yaw: float = 0) -> np.ndarray:
    return seen(CAMERA, turned(yaw), PLACE, lids_at(opening / OPEN, looking(12, 5)))


def test_an_eye_closes_and_opens_at_different_openings() -> None:
    tracker = EyeTracker()
    openings = (0.25, 0.14, 0.11, 0.13, 0.15, 0.11, 0.18, 0.13, 0.05, 0.2)
    closed = [bool(tracker(frame(opening), CAMERA).closed.all()) for opening in openings]
    assert closed == [False, False, True, True, True, True, False, False, True, False]
    assert tracker.blinks == (2, 2)


def test_a_closed_eye_keeps_its_gaze_relative_to_the_head() -> None:
    tracker = EyeTracker()
    before = tracker(frame(OPEN), CAMERA)
    for opening in (0.1, 0.02, 0.1):
        closed = tracker(frame(opening, yaw=20), CAMERA)
        np.testing.assert_allclose(closed.gaze_in_head, before.gaze_in_head, atol=1e-6)
        np.testing.assert_allclose(closed.angles.yaw, before.angles.yaw + 20, atol=0.7)
    after = tracker(frame(OPEN, yaw=20), CAMERA)
    np.testing.assert_allclose(after.gaze, eyes(frame(OPEN, yaw=20), CAMERA).gaze)


def test_eyes_that_were_never_open_have_no_gaze() -> None:
    found = EyeTracker()(frame(0.03), CAMERA)
    assert found.closed.all()
    assert np.isnan(found.gaze).all()


def test_a_frame_that_is_not_finite_changes_nothing() -> None:
    tracker = EyeTracker()
    before = tracker(frame(OPEN), CAMERA)
    lost = tracker(np.full((478, 3), np.nan), CAMERA)
    assert not lost.closed.any()
    assert np.isnan(lost.gaze).all()
    closed = tracker(frame(0.03), CAMERA)
    np.testing.assert_allclose(closed.gaze_in_head, before.gaze_in_head, atol=1e-6)
    assert tracker.blinks == (1, 1)


def test_thresholds_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(UserError, match=r"close below 0\.2 and open above 0\.1"):
        EyeTracker(close=0.2, open_=0.1)
