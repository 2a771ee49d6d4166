"""`FaceMesh` on a real picture, by the released weights."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import amesh
from amesh.topology import load

pytestmark = pytest.mark.weights


@pytest.fixture(scope="session")
def face_mesh() -> amesh.FaceMesh:
    return amesh.FaceMesh("released-192")


def eye_distance(landmarks: np.ndarray) -> float:
    return float(np.linalg.norm(landmarks[33, :2] - landmarks[263, :2]))


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Mean distance as a fraction of the outer eye distance."""
    distance = np.linalg.norm(one[:, :2] - other[:, :2], axis=1).mean()
    return float(distance) / eye_distance(one)


def test_the_astronaut_has_one_face_where_it_is(face_mesh, astronaut: np.ndarray):
    [face] = face_mesh(astronaut)
    assert face.score > 0.9
    assert face.landmarks.shape == (478, 3)
    # Measured by hand on the enlarged picture: pupils at (204, 101), (247, 103), mouth (224, 141).
    np.testing.assert_allclose(face.landmarks[468, :2], [204, 101], atol=2)
    np.testing.assert_allclose(face.landmarks[473, :2], [247, 103], atol=2)
    np.testing.assert_allclose(face.landmarks[[61, 291], :2].mean(0), [224, 141], atol=4)


def test_a_mirrored_picture_gives_mirrored_landmarks(face_mesh, astronaut: np.ndarray):
    [face] = face_mesh(astronaut)
    [mirrored] = face_mesh(np.ascontiguousarray(astronaut[:, ::-1]))
    back = mirrored.landmarks[load().mirror] * [-1, 1, 1] + [512, 0, 0]
    assert difference(face.landmarks, back) < 0.03


def test_landmarks_follow_a_shift_to_a_tenth_of_a_pixel(face_mesh, astronaut: np.ndarray):
    [face] = face_mesh(astronaut)
    moved = amesh.FaceMesh.__call__(face_mesh, astronaut[8:, 16:], _shifted(face.roi, -16, -8))
    np.testing.assert_allclose(moved[0].landmarks[:, :2] + [16, 8], face.landmarks[:, :2], atol=0.1)


def _shifted(rois, x: float, y: float):
    return rois._replace(centre=rois.centre + np.array([x, y]))


@pytest.mark.parametrize("kind", ["grey", "16-bit", "RGBA", "CMYK", "palette"])
def test_every_kind_of_picture_gives_the_face(face_mesh, astronaut, tmp_path: Path, kind: str):
    picture = Image.fromarray(astronaut)
    path = tmp_path / "picture.png"
    if kind == "grey":
        picture.convert("L").save(path)
    elif kind == "16-bit":
        grey = np.asarray(picture.convert("L")).astype(np.uint16) * 257
        Image.fromarray(grey).save(path)
    elif kind == "RGBA":
        picture.putalpha(255)
        picture.save(path)
    elif kind == "CMYK":
        path = tmp_path / "picture.jpg"
        picture.convert("CMYK").save(path, quality=95)
    else:
        picture.quantize(256).save(path)
    [face] = face_mesh(amesh.read_image(path))
    [expected] = face_mesh(astronaut)
    assert difference(expected.landmarks, face.landmarks) < 0.02


def test_the_result_is_in_the_displayed_orientation(face_mesh, astronaut, tmp_path: Path):
    picture = Image.fromarray(astronaut).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # display it rotated clockwise by 90 degrees
    path = tmp_path / "turned.jpg"
    picture.save(path, exif=exif, quality=95)
    [face] = face_mesh(amesh.read_image(path))
    [expected] = face_mesh(astronaut)
    assert difference(expected.landmarks, face.landmarks) < 0.02


def test_a_very_wide_picture(face_mesh, astronaut: np.ndarray):
    wide = np.zeros((512, 20_000, 3), np.uint8)
    wide[:, 12_000:12_512] = astronaut
    wide[:, :6_000] = 128
    [face] = face_mesh(astronaut)
    [found] = face_mesh(wide, _shifted(face.roi, 12_000, 0))
    assert difference(face.landmarks + np.float32([12_000, 0, 0]), found.landmarks) < 0.001


def test_a_face_cut_by_the_border(face_mesh, astronaut: np.ndarray):
    [whole] = face_mesh(astronaut)
    cut = np.ascontiguousarray(astronaut[:, 205:])  # through the middle of one eye
    [face] = face_mesh(cut)
    assert np.isfinite(face.landmarks).all()
    left_half = whole.landmarks[:, 0] > 245
    moved = face.landmarks[left_half, :2] + [205, 0]
    error = np.linalg.norm(moved - whole.landmarks[left_half, :2], axis=1).mean()
    assert error < 0.1 * eye_distance(whole.landmarks)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (64, 64)])
def test_a_picture_without_a_face(face_mesh, shape: tuple[int, int]):
    assert face_mesh(np.full((*shape, 3), 90, np.uint8)) == []


def test_a_cat_and_a_burnt_out_picture_have_no_face(astronaut: np.ndarray):
    from skimage import data

    face_mesh = amesh.FaceMesh(detector="both")
    assert face_mesh(data.chelsea()) == []
    assert face_mesh(np.minimum(astronaut.astype(int) * 4, 255).astype(np.uint8)) == []
