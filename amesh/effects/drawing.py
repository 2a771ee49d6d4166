"""Poses and gazes drawn on pictures.

Convention
    Drawings are antialiased and sub-pixel, and as wide as the face is large, so that a face looks
    the same in a small and in a large picture. Each function draws on a copy.
"""

import cv2
import numpy as np
from jaxtyping import Float, Int, Shaped, UInt8

from amesh.effects.canonical import canonical_face
from amesh.effects.eyes import Eyes
from amesh.effects.head_pose import Pose
from amesh.effects.pictures import as_picture

_GOLD = (255, 190, 60)
_RED, _GREEN, _BLUE = (235, 64, 64), (64, 200, 96), (64, 132, 255)
_DARK = (20, 22, 26)
_NOSE_TIP = 4
_AXIS = 70.0  # length of a drawn axis [mm]
_WIDTH = 2.6  # of a line [mm]
_GAZE = 55.0  # length of a drawn gaze [mm]
_NEAREST = 1.0  # [mm]: what is drawn stays in front of the camera
_SHIFT = 4  # fractional bits of the coordinates that OpenCV's drawing functions take


def draw_pose(image: Shaped[np.ndarray, "..."], pose: Pose) -> UInt8[np.ndarray, "h w 3"]:
    """Draws the head's axes at the tip of the nose.

    Blue points where the face points, red to the subject's left, green down. A pose that is not
    finite is left out.

    Args:
        image: RGB.
        pose: Of one face, or of several.

    Examples:
        >>> from amesh import Camera, head_pose
        >>> camera = Camera.from_fov(640, 480)
        >>> landmarks = camera.project(canonical_face().points + (0, 0, 600))
        >>> drawn = draw_pose(np.zeros((480, 640, 3), np.uint8), head_pose(landmarks, camera))
        >>> drawn[:, 320].any()  # the arrow that points down
        np.True_

    Raises:
        UserError: The picture is not RGB and uint8, or the pose is for pictures of another size.
    """
    image = as_picture(image).copy()
    pose.camera.require(image)
    tip = canonical_face().points[_NOSE_TIP]
    axes = ((1, 0, 0), _RED), ((0, 1, 0), _GREEN), ((0, 0, -1), _BLUE)
    ends = [tip + _AXIS * np.array(axis, np.float64) for axis, _ in axes]
    for placed in pose.place(np.stack([tip, *ends])).reshape(-1, 4, 3):
        if not np.isfinite(placed).all() or placed[0, 2] < _NEAREST:
            continue
        placed[:, 2] = placed[:, 2].clip(_NEAREST)
        start, *seen = pose.camera.project(placed)
        width = _WIDTH * pose.camera.fx / placed[0, 2]
        # What is farther away first.
        for number in np.argsort(-placed[1:, 2]):
            draw_arrow(image, start, seen[number], axes[number][1], width)
    return image


def draw_gaze(image: Shaped[np.ndarray, "..."], eyes: Eyes) -> UInt8[np.ndarray, "h w 3"]:
    """Draws the rims of the irises, and an arrow from each to where both eyes look.

    Closed eyes are left out. What the shape of one's eyes adds to the gaze of one eye, such as that
    they seem to cross, mostly cancels in `Eyes.gaze_of_both`.

    Args:
        image: RGB.
        eyes: Of one face, or of several.

    Examples:
        >>> from amesh import Camera, eyes
        >>> camera = Camera.from_fov(640, 480)
        >>> landmarks = camera.project(canonical_face().points + (-200, 0, 600))
        >>> drawn = draw_gaze(np.zeros((480, 640, 3), np.uint8), eyes(landmarks, camera))
        >>> drawn[:, :320].any(), drawn[:, 320:].any()
        (np.True_, np.False_)

    Raises:
        UserError: The picture is not RGB and uint8, or the camera is for pictures of another size.
    """
    camera = eyes.pose.camera
    image = as_picture(image).copy()
    camera.require(image)
    shown = ~eyes.closed & np.isfinite(eyes.gaze).all(-1) & np.isfinite(eyes.position).all(-1)
    gazes = np.broadcast_to(eyes.gaze_of_both[..., None, :], eyes.gaze.shape)
    for place, gaze, centre, diameter in zip(
        eyes.position[shown], gazes[shown], eyes.centre[shown], eyes.diameter[shown], strict=True
    ):
        ends = np.stack([place, place + _GAZE * gaze])
        ends[:, 2] = ends[:, 2].clip(_NEAREST)
        width = 0.6 * _WIDTH * camera.fx / place[2]
        radius = round(min(diameter / 2, 1e4) * (1 << _SHIFT))
        (middle,) = _fixed(centre[None])
        cv2.circle(image, middle.tolist(), radius, _GOLD, _thick(0.5 * width), cv2.LINE_AA, _SHIFT)
        start, end = camera.project(ends)
        draw_arrow(image, start, end, _GOLD, width)
    return image


def draw_arrow(
    image: UInt8[np.ndarray, "h w 3"],
    start: Float[np.ndarray, "2"],
    end: Float[np.ndarray, "2"],
    colour: tuple[int, int, int],
    width: float,
) -> None:
    """Draws an arrow on the picture itself, with a dark rim that shows on any background."""
    along = end - start
    length = float(np.hypot(*along))
    if not np.isfinite(length) or length < 1e-6:
        return
    along = along / length
    aside = np.array([-along[1], along[0]])
    head = min(3.5 * width, 0.5 * length)
    neck = end - head * along
    tip = np.stack([end, neck + 0.55 * head * aside, neck - 0.55 * head * aside])
    for rim, shade in ((max(0.8 * width, 1.5), _DARK), (0.0, colour)):
        shaft = np.stack([start, neck + 0.1 * head * along])
        cv2.polylines(
            image, [_fixed(shaft)], False, shade, _thick(width + rim), cv2.LINE_AA, _SHIFT
        )
        cv2.fillPoly(image, [_fixed(tip)], shade, cv2.LINE_AA, _SHIFT)
        if rim:
            cv2.polylines(image, [_fixed(tip)], True, shade, _thick(rim), cv2.LINE_AA, _SHIFT)


def _thick(width: float) -> int:
    return int(np.clip(round(width), 1, 1000))


def _fixed(points: Float[np.ndarray, "m 2"]) -> Int[np.ndarray, "m 2"]:
    """OpenCV's fixed-point pixel indices; a point far outside stays within its integers."""
    fixed: np.ndarray = np.rint((points - 0.5).clip(-1e5, 1e5) * (1 << _SHIFT)).astype(np.int32)
    return fixed
