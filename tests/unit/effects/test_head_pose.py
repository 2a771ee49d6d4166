"""Head pose: known poses are found, and signs, axes and units are as CONVENTIONS.md says."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from posed_heads import angle_between, seen, turned

from amesh import UserError, load_topology
from amesh.effects.camera import Camera
from amesh.effects.canonical import canonical_face
from amesh.effects.head_pose import head_pose

CAMERA = Camera.from_fov(1280, 720, vertical=50)
PLACE = (90.0, -40.0, 500.0)  # a face of about 300 px


@settings(max_examples=40)
@given(st.floats(-110, 110), st.floats(-50, 50), st.floats(-170, 170))
def test_exact_landmarks_give_the_exact_pose(yaw: float, pitch: float, roll: float) -> None:
    pose = head_pose(seen(CAMERA, turned(yaw, pitch, roll), PLACE), CAMERA)
    assert angle_between(pose.rotation, turned(yaw, pitch, roll)) < 1e-3
    np.testing.assert_allclose(pose.translation, PLACE, atol=0.01)
    assert pose.error_px < 1e-3
    np.testing.assert_allclose([pose.euler.yaw, pose.euler.pitch], [yaw, pitch], atol=1e-3)
    np.testing.assert_allclose(pose.euler.roll, roll, atol=1e-3)


@pytest.mark.parametrize("yaw", [0, 35, 65, 80, 95])
def test_noise_of_0_4_px_turns_by_less_than_half_a_degree(yaw: float) -> None:
    """Profiles included; the distance is within 1 %."""
    noise = np.random.default_rng(0).normal(0, 0.4, (20, 478, 3))
    faces = seen(CAMERA, turned(yaw, 10, -15), PLACE) + noise
    pose = head_pose(faces, CAMERA)
    assert max(angle_between(one, turned(yaw, 10, -15)) for one in pose.rotation) < 0.5
    distances = np.linalg.norm(pose.translation, axis=1) / np.linalg.norm(PLACE)
    assert np.abs(distances - 1).max() < 0.01
    assert np.mean(pose.error_px) == pytest.approx(0.5, abs=0.05)  # 0.57, less 6 fitted numbers


def test_a_jaw_that_opens_does_not_turn_the_head() -> None:
    landmarks = seen(CAMERA, turned(20), PLACE)
    opened = landmarks.copy()
    jaw = canonical_face().points[:, 1] > 40  # below the mouth [mm]
    opened[jaw, 1] += 30
    np.testing.assert_array_equal(
        head_pose(opened, CAMERA).rotation, head_pose(landmarks, CAMERA).rotation
    )


def test_convention_signs_are_those_of_the_picture() -> None:
    def nose(yaw: float, pitch: float, roll: float) -> np.ndarray:
        """From between the eyes to the tip of the nose [px]."""
        face = seen(CAMERA, turned(yaw, pitch, roll), (0.0, 0.0, 600.0))
        euler = head_pose(face, CAMERA).euler
        np.testing.assert_allclose(
            [euler.yaw, euler.pitch, euler.roll], [yaw, pitch, roll], atol=0.01
        )
        return face[4, :2] - face[168, :2]

    ahead = nose(0, 0, 0)
    assert ahead[0] == pytest.approx(0, abs=0.1)
    assert nose(20, 0, 0)[0] > 10  # yaw: to the picture's right
    assert nose(0, 20, 0)[1] > ahead[1] + 8  # pitch: down
    assert nose(0, 0, 20)[0] < -10  # roll clockwise: what hangs down swings to the left


def test_convention_rotation_of_a_face_that_looks_along_the_axis_is_the_identity() -> None:
    pose = head_pose(seen(CAMERA, np.eye(3), (20.0, 30.0, 700.0)), CAMERA)
    np.testing.assert_allclose(pose.rotation, np.eye(3), atol=1e-5)
    np.testing.assert_allclose(pose.translation, [20, 30, 700], atol=0.01)
    np.testing.assert_allclose(pose.rvec, 0, atol=1e-5)


def test_convention_opencv_projects_the_head_with_rvec_and_translation() -> None:
    landmarks = seen(CAMERA, turned(25, -10, 30), PLACE)
    pose = head_pose(landmarks, CAMERA)
    points = canonical_face().points
    pixels, _ = cv2.projectPoints(points, pose.rvec, pose.translation, CAMERA.matrix, None)
    np.testing.assert_allclose(pixels[:, 0], landmarks[:, :2], atol=0.01)
    homogeneous = np.concatenate([points, np.ones((478, 1))], axis=1)
    placed = homogeneous @ pose.matrix("opencv").T
    np.testing.assert_allclose(placed[:, :3], pose.place(points), atol=1e-9)


def test_convention_opengl_matrix_is_mediapipes() -> None:
    """It takes the canonical face's file (x right, y up, z to the viewer, cm) to such a camera."""
    pose = head_pose(seen(CAMERA, np.eye(3), (20.0, 30.0, 700.0)), CAMERA)
    expected = [[1, 0, 0, 2], [0, 1, 0, -3], [0, 0, 1, -70], [0, 0, 0, 1]]
    np.testing.assert_allclose(pose.matrix("opengl"), expected, atol=1e-3)
    # A face that is turned to the picture's right is turned about the axis that points up.
    pose = head_pose(seen(CAMERA, turned(30), PLACE), CAMERA)
    s, c = 0.5, np.sqrt(0.75)
    turn = [[c, 0, s], [0, 1, 0], [-s, 0, c]]
    np.testing.assert_allclose(pose.matrix("opengl")[:3, :3], turn, atol=1e-4)
    with pytest.raises(UserError, match="no axes 'unity'"):
        pose.matrix("unity")


def test_a_batch_is_its_faces_one_by_one() -> None:
    faces = np.stack([seen(CAMERA, turned(yaw, 5, 3), PLACE) for yaw in (-40, 0, 70)])
    faces += np.random.default_rng(1).normal(0, 0.5, faces.shape)
    batch = head_pose(faces, CAMERA)
    assert (batch.rotation.shape, batch.euler.yaw.shape) == ((3, 3, 3), (3,))
    assert batch.matrix().shape == (3, 4, 4)
    for number, face in enumerate(faces):
        single = head_pose(face, CAMERA)
        np.testing.assert_allclose(single.rotation, batch.rotation[number], atol=1e-4)
        np.testing.assert_allclose(single.rvec, batch.rvec[number], atol=1e-4)
    assert head_pose(faces[:0], CAMERA).translation.shape == (0, 3)


def test_only_rigid_landmarks_count() -> None:
    face = seen(CAMERA, turned(10, 5, 0), PLACE)
    rigid = canonical_face().rigid
    moved = face.copy()
    moved[np.setdiff1d(np.arange(478), rigid)] += 20
    assert angle_between(head_pose(moved, CAMERA).rotation, turned(10, 5, 0)) < 1e-3
    moved = face.copy()
    moved[rigid[0], 0] += 20
    assert angle_between(head_pose(moved, CAMERA).rotation, turned(10, 5, 0)) > 0.3


def test_the_size_of_the_picture_stands_for_the_camera_that_is_assumed() -> None:
    assumed = Camera.from_fov(1280, 720, vertical=63)
    face = seen(assumed, turned(20), PLACE)
    pose = head_pose(face, (1280, 720))
    assert pose.camera == assumed
    np.testing.assert_allclose(pose.translation, PLACE, atol=0.01)


def test_landmarks_that_are_not_finite_give_numbers_that_are_not() -> None:
    faces = np.stack([seen(CAMERA, turned(yaw), PLACE) for yaw in (0, 20)])
    faces[0, 4, 0] = np.nan
    pose = head_pose(faces, CAMERA)
    for numbers in (pose.rotation, pose.translation, pose.error_px, pose.rvec, *pose.euler):
        assert np.isnan(numbers[0]).all()
        assert np.isfinite(numbers[1]).all()
    # Depth is not needed, and neither are landmarks that move with expressions.
    faces[1, :, 2], faces[1, 13] = np.nan, np.nan
    assert head_pose(faces[1], CAMERA).euler.yaw == pytest.approx(20, abs=1e-3)


def test_a_mirrored_picture_shows_the_mirrored_head() -> None:
    face = seen(CAMERA, turned(25, 10, 15), PLACE)
    selfie = face[load_topology().mirror]
    selfie[:, 0] = 1280 - selfie[:, 0]
    euler = head_pose(selfie, CAMERA).euler
    np.testing.assert_allclose([euler.yaw, euler.pitch, euler.roll], [-25, 10, -15], atol=0.05)


@pytest.mark.parametrize("yaw", [0, 60, 90])
def test_mirrored_landmarks_that_kept_left_and_right_are_refused(yaw: float) -> None:
    face = seen(CAMERA, turned(yaw), PLACE)
    face[:, 0] = 1280 - face[:, 0]
    with pytest.raises(UserError, match="face 1 has the landmarks of a mirrored face"):
        head_pose(np.stack([seen(CAMERA, turned(yaw), PLACE), face]), CAMERA)


def test_a_face_of_24_px_is_turned_by_a_few_degrees_at_most() -> None:
    place = (100.0, 50.0, 5000.0)
    noise = np.random.default_rng(0).normal(0, 0.2, (20, 478, 3))
    pose = head_pose(seen(CAMERA, turned(20, 5), place) + noise, CAMERA)
    assert np.ptp(seen(CAMERA, turned(20, 5), place)[:, 0]) < 24
    assert max(angle_between(one, turned(20, 5)) for one in pose.rotation) < 5
    np.testing.assert_allclose(pose.translation[:, 2], 5000, rtol=0.05)


def test_coincident_points_have_no_pose() -> None:
    faces = np.stack([np.full((478, 3), 7.0), seen(CAMERA, turned(20), PLACE), np.zeros((478, 3))])
    pose = head_pose(faces, CAMERA)
    assert np.isnan(pose.error_px).tolist() == [True, False, True]
    assert np.isnan(pose.rotation).any(axis=(1, 2)).tolist() == [True, False, True]
    assert pose.euler.yaw[1] == pytest.approx(20, abs=1e-3)


@pytest.mark.parametrize("shape", [(468, 3), (478,), (1, 1, 478, 3), (478, 4)])
def test_other_landmarks_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises((UserError, TypeError)):
        head_pose(np.zeros(shape), CAMERA)
