"""The state of faces: angles, the main face, mirrors, and faces that cannot be measured."""

from typing import Any

import numpy as np
import pytest
from posed_heads import looking, seen, turned

from amesh.effects.blendshapes import NAMES, Blendshapes
from amesh.effects.camera import Camera
from amesh.geometry.roi import Roi
from amesh.pipeline.face_pipeline import Face
from amesh.pipeline.frames import VideoFrame
from amesh.streaming.state import StateTracker, mirrored
from amesh.topology import load

SIZE = (640, 480)
CAMERA = Camera.from_fov(*SIZE)


def still(_: np.ndarray) -> np.ndarray:
    """A face without an expression."""
    return np.zeros(52)


def face(id: int = 0, place: tuple[float, float, float] = (0, 0, 600), **angles: Any) -> Face:
    landmarks = seen(CAMERA, turned(**angles), place).astype(np.float32)
    return Face(id, 0.9, landmarks, Roi.at(100, 100, 200))


def frame(index: int = 0) -> VideoFrame:
    return VideoFrame(index, index / 25, np.zeros((SIZE[1], SIZE[0], 3), np.uint8))


def tracker(mirror: bool = False, fov: float | None = None) -> StateTracker:
    return StateTracker("clip.mp4", still, fov, mirror)


def test_a_face_is_measured() -> None:
    state = tracker()(frame(5), [face(3, (50, 20, 600), yaw=20, pitch=-10, roll=5)])
    assert (state.source, state.index, state.time, state.size) == ("clip.mp4", 5, 0.2, SIZE)
    [one] = state.faces
    assert state.main is one
    assert one.rotation == pytest.approx((20, -10, 5), abs=0.1)
    assert one.position == pytest.approx((50, 20, 600), abs=1)
    assert one.closed == (False, False)
    assert one.opening == pytest.approx((0.3, 0.3), abs=0.1)


def test_the_gaze_is_relative_to_the_head() -> None:
    points = seen(CAMERA, turned(yaw=15), (0, 0, 600), looking(10, 5)).astype(np.float32)
    [one] = tracker()(frame(), [Face(0, 0.9, points, Roi.at(100, 100, 200))]).faces
    assert one.gaze == pytest.approx((10, 5), abs=1.5)


def test_eyes_do_not_turn_farther_than_they_can() -> None:
    points = seen(CAMERA, turned(), (0, 0, 600), looking(60, 0)).astype(np.float32)
    [one] = tracker()(frame(), [Face(0, 0.9, points, Roi.at(100, 100, 200))]).faces
    assert one.gaze == pytest.approx((45, 0), abs=2)
    assert one.gaze[0] <= 45


def test_another_camera_sees_another_distance() -> None:
    near, far = (tracker(fov=fov)(frame(), [face()]).faces[0] for fov in (80, 40))
    assert near.position[2] < 500 < 800 < far.position[2]


def test_a_mirror_exchanges_left_and_right() -> None:
    turn = face(0, (50, 20, 600), yaw=20, pitch=-10, roll=5)
    [plain] = tracker()(frame(), [turn]).faces
    [one] = tracker(mirror=True)(frame(), [turn]).faces
    assert one.rotation == pytest.approx((-20, -10, -5), abs=0.1)
    assert one.position == pytest.approx((-50, 20, 600), abs=1)
    assert one.gaze[0] == pytest.approx(-plain.gaze[0], abs=0.1)
    assert one.opening == pytest.approx(plain.opening[::-1], abs=1e-3)


def test_a_mirrored_face_keeps_its_names() -> None:
    one = face(yaw=20)
    again = mirrored(mirrored(one, 640), 640)
    assert again.landmarks == pytest.approx(one.landmarks, abs=1e-3)
    flipped = mirrored(one, 640)
    right, left = load().irises[0].indices[0], load().irises[1].indices[0]
    assert flipped.landmarks[right, 0] == pytest.approx(640 - one.landmarks[left, 0], abs=1e-3)
    assert flipped.landmarks[right, 0] < flipped.landmarks[left, 0], "right is left in pictures"


def test_a_wink_changes_sides_in_a_mirror() -> None:
    """Our own network, on a wink of the canonical face."""
    from posed_heads import lids_at

    points = looking()
    winking = points.copy()
    left = [
        one for pair in (range(382, 399), (249, 263, 362, 373, 374, 380, 381, 466)) for one in pair
    ]
    winking[left] = lids_at(0.05, points)[left]
    one = Face(
        0, 0.9, seen(CAMERA, turned(), (0, 0, 600), winking).astype(np.float32), Roi.at(9, 9, 9)
    )
    blinks = [NAMES.index("eyeBlinkRight"), NAMES.index("eyeBlinkLeft")]
    for mirror in (False, True):
        [state] = StateTracker("clip.mp4", Blendshapes(), mirror=mirror)(frame(), [one]).faces
        right, left_ = state.blendshapes[blinks]
        assert state.closed == ((True, False) if mirror else (False, True))
        assert (right > left_ + 0.2) == mirror


def test_the_main_face_stays_until_it_is_lost_then_it_is_the_largest() -> None:
    states = tracker()
    near, far = (0.0, 0.0, 500.0), (100.0, 0.0, 900.0)
    seen_ids = []
    for faces in (
        [face(0, far)],
        [face(0, far), face(1, near)],
        [face(1, near), face(2, far)],
        [face(1, far), face(2, near)],
        [],
        [face(3, far), face(4, near)],
    ):
        main = states(frame(), faces).main
        seen_ids.append(None if main is None else main.face.id)
    assert seen_ids == [0, 0, 1, 1, None, 4]


def test_what_shows_no_face_is_left_out() -> None:
    nowhere, same = face(0).landmarks.copy(), np.full((478, 3), 5, np.float32)
    nowhere[5] = np.nan
    flipped = face(2).landmarks * np.float32([-1, 1, 1])
    faces = [
        Face(i, 0.9, points, Roi.at(9, 9, 9)) for i, points in enumerate((nowhere, same, flipped))
    ]
    state = tracker()(frame(), [*faces, face(3)])
    assert [one.face.id for one in state.faces] == [3]
    assert tracker()(frame(), faces).main is None


def test_eyes_that_were_never_open_look_straight_ahead() -> None:
    from posed_heads import lids_at

    points = lids_at(0.0, looking())
    shut = Face(
        0, 0.9, seen(CAMERA, turned(), (0, 0, 600), points).astype(np.float32), Roi.at(9, 9, 9)
    )
    [one] = tracker()(frame(), [shut]).faces
    assert one.closed == (True, True)
    assert one.gaze == (0, 0)
