"""Drawings of poses and gazes."""

import numpy as np
import pytest
from posed_heads import looking, seen, turned

from amesh import UserError
from amesh.effects.camera import Camera
from amesh.effects.drawing import draw_gaze, draw_pose
from amesh.effects.eyes import eyes
from amesh.effects.head_pose import head_pose

CAMERA = Camera.from_fov(640, 480)
GREY = np.full((480, 640, 3), 128, np.uint8)


def centre_of(drawn: np.ndarray, channel: int) -> np.ndarray:
    """The mean position of the pixels in which this channel is the brightest."""
    others = np.delete(drawn, channel, axis=2).max(axis=2)
    y, x = np.nonzero(drawn[..., channel].astype(int) > others.astype(int) + 60)
    return np.array([x.mean(), y.mean()])


def test_axes_point_to_the_left_down_and_where_the_face_points() -> None:
    landmarks = seen(CAMERA, turned(-40, 0, 0), (0.0, 0.0, 500.0))
    drawn = draw_pose(GREY, head_pose(landmarks, CAMERA))
    tip = landmarks[4, :2]
    red, green, blue = (centre_of(drawn, channel) - tip for channel in range(3))
    assert red[0] > 15  # the subject's left
    assert green[1] > 15
    assert blue[0] < -15  # turned to the picture's left
    assert GREY.min() == GREY.max()  # a copy was drawn on


def test_what_has_no_pose_is_left_out() -> None:
    landmarks = np.full((2, 478, 3), np.nan)
    assert (draw_pose(GREY, head_pose(landmarks, CAMERA)) == GREY).all()
    assert (draw_pose(GREY, head_pose(landmarks[:0], CAMERA)) == GREY).all()


def test_a_face_at_the_lens_is_drawn_in_bounds() -> None:
    landmarks = seen(CAMERA, turned(), (0.0, 0.0, 110.0))
    assert draw_pose(GREY, head_pose(landmarks, CAMERA)).shape == GREY.shape


def test_a_picture_of_another_size_is_refused() -> None:
    pose = head_pose(seen(CAMERA, turned(), (0.0, 0.0, 500.0)), CAMERA)
    with pytest.raises(UserError, match="the camera is for pictures of 640 x 480 px"):
        draw_pose(GREY[:400], pose)


def test_gaze_starts_at_the_open_eyes_and_points_where_they_look() -> None:
    landmarks = seen(CAMERA, turned(), (0.0, 0.0, 400.0), looking(-35, 0))
    landmarks[[246, 161, 160, 159, 158, 157, 173]] = landmarks[[7, 163, 144, 145, 153, 154, 155]]
    found = eyes(landmarks, CAMERA)
    assert found.closed.tolist() == [True, False]
    y, x = np.nonzero((draw_gaze(GREY, found) != GREY).any(axis=2))
    left = landmarks[473]
    assert x.max() - left[0] < 12  # the rim of the iris
    assert left[0] - x.min() > 18
    assert np.abs(y - left[1]).max() < 25


def test_eyes_without_a_face_are_left_out() -> None:
    found = eyes(np.full((2, 478, 3), np.nan), CAMERA)
    assert (draw_gaze(GREY, found) == GREY).all()


@pytest.mark.parametrize("image", [GREY[..., 0], GREY[..., [0, 0, 0, 0]], GREY / 255])
def test_other_pictures_than_rgb_are_refused(image: np.ndarray) -> None:
    found = eyes(seen(CAMERA, turned(), (0.0, 0.0, 500.0)), CAMERA)
    for draw, what in ((draw_pose, found.pose), (draw_gaze, found)):
        with pytest.raises(UserError, match=r"expected uint8 \(height, width, 3\), RGB"):
            draw(image, what)
