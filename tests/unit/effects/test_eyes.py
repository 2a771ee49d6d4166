"""Eyes of known places, openings and directions are measured as they are."""

import numpy as np
import pytest
from posed_heads import lids_at, looking, seen, turned

from amesh import UserError, load_topology
from amesh.effects.camera import Camera
from amesh.effects.eyes import Gaze, eyes

CAMERA = Camera.from_fov(1280, 720, vertical=50)
PLACE = (60.0, -30.0, 450.0)


def direction(yaw: float, pitch: float) -> np.ndarray:
    return turned(yaw, pitch) @ (0, 0, -1)


def degrees(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.degrees(np.arccos((first * second).sum(-1).clip(-1, 1)))


@pytest.mark.parametrize(
    ("head", "noise"),
    [((0, 0, 0), 0.2), ((30, -10, 8), 0.0), ((-45, 15, -20), 0.0)],
)
def test_eyeballs_turned_by_25_degrees_are_read_within_3(
    head: tuple[float, float, float], noise: float
) -> None:
    """Irises of 22 px; noise counts for more where head and eyes turn to the same side."""
    generator = np.random.default_rng(0)
    for yaw, pitch in ((0, 0), (25, 0), (-25, 0), (0, 20), (0, -20), (17, 17), (-17, -17)):
        face = seen(CAMERA, turned(*head), PLACE, looking(yaw, pitch))
        found = eyes(face + generator.normal(0, noise, (478, 3)), CAMERA)
        assert degrees(found.gaze_in_head, direction(yaw, pitch)).max() < 3
        assert degrees(found.gaze, turned(*head) @ direction(yaw, pitch)).max() < 3
        assert degrees(found.gaze_of_both, turned(*head) @ direction(yaw, pitch)) < 3


def test_convention_gaze_is_signed_as_in_the_picture() -> None:
    face = seen(CAMERA, turned(), (0.0, 0.0, 450.0), looking(20, 10))
    found = eyes(face, CAMERA)
    for angles in (found.angles, found.angles_in_head):
        np.testing.assert_allclose(angles.yaw, 20, atol=0.5)  # to the picture's right
        np.testing.assert_allclose(angles.pitch, 10, atol=0.5)  # down
    straight = eyes(seen(CAMERA, turned(), (0.0, 0.0, 450.0), looking()), CAMERA)
    assert (found.centre - straight.centre > 3).all()
    np.testing.assert_allclose(straight.gaze, [[0, 0, -1]] * 2, atol=0.01)
    assert Gaze.of(np.array([1.0, 0.0, 0.0])) == (90, 0)


def test_convention_the_right_eye_comes_first() -> None:
    face = seen(CAMERA, turned(), PLACE, looking())
    found = eyes(face, CAMERA)
    np.testing.assert_array_equal(found.centre, face[[468, 473], :2])
    assert found.position[0, 0] < found.position[1, 0]
    wink = seen(CAMERA, turned(), PLACE, looking())
    wink[[246, 161, 160, 159, 158, 157, 173]] = wink[[7, 163, 144, 145, 153, 154, 155]]
    assert eyes(wink, CAMERA).closed.tolist() == [True, False]


@pytest.mark.parametrize(
    "place", [(0.0, 0.0, 450.0), (420.0, -200.0, 500.0), (-900.0, 0.0, 1000.0)]
)
def test_distance_is_right_anywhere_in_the_picture(place: tuple[float, float, float]) -> None:
    points = looking(10, 0)
    found = eyes(seen(CAMERA, turned(15, 5, 0), place, points), CAMERA)
    truth = (points @ turned(15, 5, 0).T + place)[[468, 473]]
    np.testing.assert_allclose(found.position, truth, rtol=0.01, atol=2)
    np.testing.assert_allclose(found.distance, np.linalg.norm(truth, axis=1), rtol=0.01)


def test_distance_does_not_need_the_face_to_be_average() -> None:
    small = looking() * 0.85
    middle = small[[468, 473]].copy()
    for first, centre in ((468, middle[0]), (473, middle[1])):
        small[first : first + 5] = centre + (small[first : first + 5] - centre) / 0.85
    found = eyes(seen(CAMERA, turned(), PLACE, small), CAMERA)
    assert found.pose.translation[2] == pytest.approx(PLACE[2] / 0.85, rel=0.01)
    np.testing.assert_allclose(found.position[:, 2], (small + PLACE)[[468, 473], 2], rtol=0.01)
    doubled = eyes(seen(CAMERA, turned(), PLACE, small), CAMERA, iris_mm=23.4)
    np.testing.assert_allclose(doubled.distance, 2 * found.distance)


def test_diameter_is_the_largest_however_the_eye_is_turned() -> None:
    face = seen(CAMERA, turned(), (0.0, 0.0, 450.0), looking(25, 0))
    depth = 450 + looking(25, 0)[468, 2]
    np.testing.assert_allclose(eyes(face, CAMERA).diameter, 11.7 * CAMERA.fx / depth, rtol=0.01)


@pytest.mark.parametrize("head", [(40, 0, 0), (-40, 0, 0), (0, 20, 0), (0, -20, 0), (25, 10, 60)])
def test_turning_the_head_does_not_open_or_close_the_eyes(
    head: tuple[float, float, float],
) -> None:
    def opening(*angles: float) -> np.ndarray:
        return eyes(seen(CAMERA, turned(*angles), PLACE, looking()), CAMERA).opening

    np.testing.assert_allclose(opening(*head), opening(0, 0, 0), rtol=0.1)


def test_the_far_eye_of_a_profile_has_no_opening() -> None:
    found = eyes(seen(CAMERA, turned(-75), (0.0, 0.0, 600.0), looking()), CAMERA)
    assert np.isnan(found.opening).tolist() == [True, False]
    assert found.closed.tolist() == [True, False]
    straight = eyes(seen(CAMERA, turned(), (0.0, 0.0, 600.0), looking()), CAMERA)
    np.testing.assert_allclose(found.opening[1], straight.opening[1], rtol=0.1)


def test_opening_falls_to_0_as_the_lids_meet() -> None:
    shares = (1.0, 0.75, 0.5, 0.25, 0.0)
    faces = np.stack([seen(CAMERA, turned(20), PLACE, lids_at(s, looking())) for s in shares])
    found = eyes(faces, CAMERA)
    opening = found.opening / found.opening[0]
    np.testing.assert_allclose(opening, np.repeat(shares, 2).reshape(5, 2), atol=0.02)
    assert found.closed.all(axis=1).tolist() == [False, False, True, True, True]
    assert np.isnan(found.gaze[2:]).all()
    assert np.isnan(found.gaze_of_both[2:]).all()
    assert np.isfinite(found.distance).all()


def test_one_open_eye_looks_for_both() -> None:
    face = seen(CAMERA, turned(), PLACE, looking(15, 0))
    face[[246, 161, 160, 159, 158, 157, 173]] = face[[7, 163, 144, 145, 153, 154, 155]]
    found = eyes(face, CAMERA)
    np.testing.assert_allclose(found.gaze_of_both, found.gaze[1])


def test_a_batch_is_its_faces_one_by_one() -> None:
    faces = np.stack([seen(CAMERA, turned(yaw), PLACE, looking(yaw / 3)) for yaw in (-30, 0, 30)])
    batch = eyes(faces, CAMERA)
    for number, face in enumerate(faces):
        single = eyes(face, CAMERA)
        for name in ("centre", "diameter", "position", "opening", "closed", "gaze", "distance"):
            one, many = getattr(single, name), getattr(batch, name)[number]
            np.testing.assert_allclose(one, many, atol=1e-3)
    assert eyes(faces[:0], CAMERA).gaze.shape == (0, 2, 3)


def test_a_mirrored_picture_exchanges_the_eyes() -> None:
    face = seen(CAMERA, turned(25, 10, 5), PLACE, looking(15, -10))
    selfie = face[load_topology().mirror]
    selfie[:, 0] = 1280 - selfie[:, 0]
    found, mirrored = eyes(face, CAMERA), eyes(selfie, CAMERA)
    np.testing.assert_allclose(mirrored.angles.yaw[::-1], -found.angles.yaw, atol=0.3)
    np.testing.assert_allclose(mirrored.angles.pitch[::-1], found.angles.pitch, atol=0.3)
    np.testing.assert_allclose(mirrored.distance[::-1], found.distance, rtol=0.002)


def test_landmarks_that_are_not_finite_or_coincide() -> None:
    faces = np.stack([seen(CAMERA, turned(), PLACE, looking())] * 3)
    faces[0], faces[1] = np.nan, 0.0
    found = eyes(faces, CAMERA)
    assert found.closed.all(axis=1).tolist() == [True, True, False]
    assert np.isnan(found.distance).all(axis=1).tolist() == [True, True, False]
    assert np.isnan(found.gaze).all(axis=(1, 2)).tolist() == [True, True, False]


def test_without_a_camera_one_is_assumed_and_named() -> None:
    found = eyes(seen(CAMERA, turned(), PLACE, looking()), (1280, 720))
    assert found.pose.camera == Camera.from_fov(1280, 720)


@pytest.mark.parametrize("diameter", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_irises_are_refused(diameter: float) -> None:
    with pytest.raises(UserError, match="iris_mm is"):
        eyes(seen(CAMERA, turned(), PLACE), CAMERA, iris_mm=diameter)
