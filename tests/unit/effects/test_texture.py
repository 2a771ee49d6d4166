"""Textures of faces, on the astronaut, whose landmarks are recorded, and on drawn faces."""

from pathlib import Path

import numpy as np
import pytest
from skimage.data import astronaut

from amesh.effects.canonical import canonical_face
from amesh.effects.texture import paint, unwrap
from amesh.errors import UserError
from amesh.topology import load

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "face_landmarker_v2.npz"
FACE = load().template * 100 + (160, 100, 0)
RED = (255, 0, 0)


def turned(yaw: float) -> np.ndarray:
    """The mean face, turned to the picture's right [degrees]."""
    cos, sin = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    turn = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])
    return np.asarray(load().template @ turn.T * 100 + (160, 100, 0))


def at(texture: np.ndarray, landmark: int) -> np.ndarray:
    u, v = (canonical_face().uv[landmark] * len(texture)).astype(int)
    return np.asarray(texture[v, u])


def test_a_real_face_is_the_same_after_the_way_there_and_back() -> None:
    image = astronaut()
    with np.load(GOLDEN) as golden:
        landmarks = golden["picture"].astype(np.float64)
    texture = unwrap(image, landmarks)
    dark, light = (paint(np.full_like(image, v), texture, landmarks) for v in (0, 255))
    visible = (dark == light).all(axis=2)
    assert visible.sum() > 7500  # of a face of 90 x 106 px
    error = np.abs(dark[visible].astype(int) - image[visible])
    assert error.mean() < 2
    # Moved by one pixel, it would be off by more.
    assert np.abs(dark[visible].astype(int) - np.roll(image, 1, 1)[visible]).mean() > 4


def test_colours_land_at_their_landmarks() -> None:
    y, x = np.mgrid[:240, :320]
    image = np.dstack([x * 0.75, y, 0 * x]).astype(np.uint8)
    texture = unwrap(image, FACE, 512)
    for landmark in (1, 50, 280, 152, 10, 468, 473):
        red, green, blue, alpha = at(texture, landmark).astype(float)
        np.testing.assert_allclose([red / 0.75, green], FACE[landmark, :2], atol=2.5)
        assert (blue, alpha) == (0, 255)


def test_beside_the_face_the_texture_is_empty() -> None:
    texture = unwrap(np.full((240, 320, 3), 200, np.uint8), FACE, 512)
    assert not texture[:40].any()  # the forehead begins at 0.107
    assert not texture[-12:, 80:-80].any()  # under the chin, which ends at 0.954


@pytest.mark.parametrize(("yaw", "shown", "hidden"), [(60, 227, 447), (-60, 447, 227)])
def test_the_far_side_of_a_turned_face_is_transparent(yaw: int, shown: int, hidden: int) -> None:
    """227 and 447 lie before the ears; a face that looks right shows its right side."""
    inner = canonical_face().uv * 0.94 + 0.03  # off the edge of the texture
    texture = unwrap(np.full((240, 320, 3), 200, np.uint8), turned(yaw), 512)
    alpha = {n: texture[int(inner[n, 1] * 512), int(inner[n, 0] * 512), 3] for n in (227, 447)}
    assert alpha[shown] == 255
    assert alpha[hidden] == 0


def test_a_nose_hides_the_cheek_behind_it() -> None:
    opaque = [
        (unwrap(np.full((240, 320, 3), 9, np.uint8), turned(yaw), 256)[..., 3] > 0).mean()
        for yaw in (0, 30, 60)
    ]
    assert opaque[0] > opaque[1] > opaque[2] > 0.2


def test_parts_outside_the_picture_are_transparent() -> None:
    image = np.full((100, 320, 3), 200, np.uint8)  # ends at the eyes
    texture = unwrap(image, FACE, 256)
    assert at(texture, 10)[3] == 255
    assert at(texture, 152)[3] == 0


def test_painting_changes_the_face_alone_and_makes_a_new_picture() -> None:
    image = np.zeros((240, 320, 3), np.uint8)
    painted = paint(image, np.full((64, 64, 3), RED, np.uint8), FACE)
    assert not image.any()
    assert painted[100, 160].tolist() == [255, 0, 0]
    changed = np.argwhere(painted.any(axis=2))[:, ::-1]
    low, high = FACE[:, :2].min(axis=0), FACE[:, :2].max(axis=0)
    np.testing.assert_allclose(changed.min(axis=0), low, atol=2)
    np.testing.assert_allclose(changed.max(axis=0), high, atol=2)


def test_transparent_parts_are_not_painted() -> None:
    image = np.full((240, 320, 3), 7, np.uint8)
    clear = np.zeros((64, 64, 4), np.uint8)
    np.testing.assert_array_equal(paint(image, clear, FACE), image)
    clear[...] = (255, 0, 0, 128)
    assert paint(image, clear, FACE)[100, 160].tolist() == [131, 3, 3]


def test_a_mirrored_face_shows_only_its_inside() -> None:
    mirrored = FACE * (-1, 1, 1) + (320, 0, 0)
    assert not unwrap(np.full((240, 320, 3), 9, np.uint8), mirrored, 64)[..., 3].any()


@pytest.mark.parametrize(
    ("landmarks", "image", "size", "message"),
    [
        (FACE[:468], np.zeros((240, 320, 3), np.uint8), 64, r"\(468, 3\)"),
        (FACE * np.nan, np.zeros((240, 320, 3), np.uint8), 64, "not finite"),
        (FACE + 1000, np.zeros((240, 320, 3), np.uint8), 64, "outside the picture"),
        (FACE, np.zeros((240, 320), np.uint8), 64, r"uint8 \(240, 320\)"),
        (FACE, np.zeros((240, 320, 4), np.uint8), 64, r"\(240, 320, 4\)"),
        (FACE, np.zeros((240, 320, 3), np.float32), 64, "float32"),
        (FACE, np.zeros((240, 320, 3), np.uint8), 8, "16 to 8192"),
    ],
)
def test_bad_input_is_refused(
    landmarks: np.ndarray, image: np.ndarray, size: int, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        unwrap(image, landmarks, size)


def test_a_texture_is_square() -> None:
    with pytest.raises(UserError, match="square"):
        paint(np.zeros((240, 320, 3), np.uint8), np.zeros((8, 9, 3), np.uint8), FACE)
