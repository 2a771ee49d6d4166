import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from amesh.data.loading.pictures import decode
from amesh.errors import UserError
from amesh.labelling.output import encode, open_picture, store
from amesh.pipeline.video import count_frames, read_frames

from .conftest import coloured, face


def turned(path: Path) -> Path:
    """A picture that is stored turned, with the note that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.fromarray(coloured()[:, :200]).transpose(Image.Transpose.ROTATE_90)
    picture.save(path, exif=exif, quality=95)
    return path


def test_a_file_goes_in_as_it_is_and_labels_fit_what_training_reads(tmp_path: Path):
    path = turned(tmp_path / "turned.jpg")
    picture = open_picture(path)
    assert picture.pixels.shape == (256, 200, 3)
    data, corner = store(picture, face().astype(np.float32), cut=5)
    assert data == path.read_bytes()
    assert corner == (0, 0)
    np.testing.assert_array_equal(decode(data, "")[0], picture.pixels)
    # Red grows to the right and green downwards, once it is upright.
    corners = picture.pixels[[2, -3]][:, [2, -3], :2].astype(int)
    np.testing.assert_allclose(corners[0, 1] - corners[0, 0], [194, 0], atol=6)
    np.testing.assert_allclose(corners[1, 0] - corners[0, 0], [0, 250], atol=6)


def test_training_reads_the_same_pixels_of_a_16_bit_picture(tmp_path: Path):
    path = tmp_path / "deep.png"
    grey = coloured()[..., 0].astype(np.uint16) * 257
    Image.fromarray(grey).save(path)
    picture = open_picture(path)
    data, corner = store(picture, face().astype(np.float32), cut=0)
    assert corner == (0, 0)
    np.testing.assert_array_equal(decode(data, "").pixels, picture.pixels)


def test_fine_colours_survive_the_encoding():
    stripes = np.full((64, 64, 3), 60, np.uint8)
    stripes[:, ::2, 0] = 180  # red and grey columns, a pixel wide
    again = decode(encode(stripes), "")[0].astype(int)
    assert np.abs(again - stripes).mean() < 4


@pytest.mark.parametrize("name", ["text.jpg", "gone.jpg", "empty.png", "folder"])
def test_what_is_no_picture_is_one_line_that_names_it(tmp_path: Path, name: str):
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=name):
        open_picture(tmp_path / name)


def test_a_picture_much_larger_than_the_face_is_cut_around_it(tmp_path: Path):
    path = tmp_path / "large.png"
    Image.fromarray(coloured()).save(path)
    points = face((100.0, 60.0), size=40.0).astype(np.float32)
    data, (left, top) = store(open_picture(path), points, cut=4)
    cut = decode(data, "")[0]
    # A square of 160 px around (100, 60): its upper 20 px are beyond the picture.
    assert (left, top) == (20, 0)
    assert cut.shape == (140, 160, 3)
    difference = cut.astype(int) - coloured()[:140, 20:180]
    assert np.abs(difference).max() <= 4
    assert Image.open(io.BytesIO(data)).format == "JPEG"


@pytest.mark.parametrize(("cut", "whole"), [(0.0, True), (6.5, True), (6.3, False)])
def test_the_limit_is_the_pictures_longer_side_in_faces(tmp_path: Path, cut: float, whole: bool):
    path = tmp_path / "large.png"
    Image.fromarray(coloured()).save(path)
    data, _ = store(open_picture(path), face(size=40.0).astype(np.float32), cut)
    assert (data == path.read_bytes()) == whole


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """25 frames, each as bright as its number says; left half red."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for i in range(25):
        frame = np.full((48, 64, 3), 5 * i, np.uint8)
        frame[:, :32, 2] = 255
        writer.write(frame)
    writer.release()
    return path


def test_every_so_manieth_frame_that_is_wanted(clip: Path):
    assert count_frames(clip) == 25
    found = dict(read_frames(clip, 10, lambda _: True))
    assert list(found) == [0, 10, 20]
    for number, pixels in found.items():
        assert pixels.shape == (48, 64, 3)
        assert pixels[20, 50, 1] == pytest.approx(5 * number, abs=6)
        assert pixels[20, 10, 0] > 240, "red comes first"
    assert [number for number, _ in read_frames(clip, 1, lambda n: n > 22)] == [23, 24]


def test_no_video(tmp_path: Path):
    path = tmp_path / "text.mp4"
    path.write_text("no video")
    assert count_frames(path) == 0
    with pytest.raises(UserError, match=r"text\.mp4: not a video"):
        list(read_frames(path, 1, lambda _: True))
