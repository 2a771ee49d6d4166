"""Where overlays go, and what is never overwritten."""

import os
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from one_face import OneFace
from PIL import Image

from amesh.effects.camera import Camera
from amesh.errors import UserError
from amesh.pipeline.inputs import Input, Picture, Video, find_inputs
from amesh.pipeline.overlays import Overlays, check_outputs
from amesh.pipeline.run import run_pictures


def picture(path: Path, size: tuple[int, int] = (40, 30)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path)
    return path


def inputs_of(source: Path) -> list[Input]:
    return find_inputs([str(source)]).found


def run(inputs: list[Input], overlays: Overlays) -> None:
    pictures = [one for one in inputs if isinstance(one, Picture)]
    assert list(run_pictures(OneFace(), pictures, overlays))


def test_each_picture_has_a_name_of_its_own(tmp_path: Path) -> None:
    folder, drawn = tmp_path / "photos", tmp_path / "drawn"
    for name in ["a.png", "a.jpg", "a-2.png", "deep/a.png"]:
        picture(folder / name)
    (folder / "a.bmp").write_text("damaged")
    run(inputs_of(folder), Overlays(drawn, alone=False))
    found = sorted(path.relative_to(drawn).as_posix() for path in drawn.rglob("*.*"))
    assert found == ["a-2.png.png", "a.jpg.png", "a.png.png", "deep/a.png.png"]


@pytest.mark.parametrize(
    ("name", "alone", "expected"),
    [
        ("photos/a.jpg", True, "photos/a.jpg.png"),
        ("./photos//a.jpg", True, "photos/a.jpg.png"),
        ("no-suffix", True, "no-suffix.png"),
        ("/data/a.jpg", True, "a.jpg.png"),
        ("/data/a.jpg", False, "data/a.jpg.png"),
        ("../here/a.jpg", False, "data/here/a.jpg.png"),
        ("../here/a.jpg", True, "a.jpg.png"),
    ],
)
def test_names(
    name: str,
    alone: bool,
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "getcwd", lambda: "/data/there")
    overlays = Overlays(tmp_path, alone)
    assert overlays.path(Picture(Path(name), name)) == tmp_path / expected


@pytest.mark.parametrize("scale", [1, 3])
def test_an_overlay_is_as_large_as_its_picture_unless_enlarged(tmp_path: Path, scale: int) -> None:
    inputs = inputs_of(picture(tmp_path / "a.png", (40, 30)))
    run(inputs, Overlays(tmp_path / "over.png", alone=True, scale=scale))
    with Image.open(tmp_path / "over.png") as overlay:
        assert overlay.size == (40 * scale, 30 * scale)
        assert np.asarray(overlay).any()


def test_one_file_takes_one_picture(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="names one file for many inputs"):
        Overlays(tmp_path / "over.png", alone=False)


@pytest.mark.parametrize(
    ("one", "name", "kinds"),
    [
        (Picture(Path("a.jpg"), "a.jpg"), "over.heic", "a file in .png, .jpg"),
        (Picture(Path("a.jpg"), "a.jpg"), "over.mp4", "a file in .png, .jpg"),
        (Video("a.mov", "a.mov"), "over.png", "a file in .mp4"),
    ],
)
def test_a_file_of_the_right_kind(one: Input, name: str, kinds: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=re.escape(kinds)):
        check_outputs([one], None, Overlays(tmp_path / name, alone=True))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("films/a.mov", "films/a.mov.mp4"),
        ("cam:0", "cam-0.mp4"),
        ("rtsp://host:554/door?id=1", "rtsp-host-554-door-id-1.mp4"),
    ],
)
def test_names_of_videos(source: str, expected: str, tmp_path: Path) -> None:
    assert Overlays(tmp_path, alone=True).path(Video(source, source)) == tmp_path / expected


def test_a_picture_too_large_for_the_format_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise cv2.error("too large")

    monkeypatch.setattr(cv2, "imencode", refuse)
    inputs = inputs_of(picture(tmp_path / "a.png"))
    with pytest.raises(UserError, match=r"over\.webp: .*use \.png"):
        run(inputs, Overlays(tmp_path / "over.webp", alone=True))


@pytest.mark.parametrize("link", [False, True])
def test_a_source_is_not_overwritten(tmp_path: Path, link: bool) -> None:
    picture(tmp_path / "a.jpg")
    source = picture(tmp_path / "a.jpg.png")
    if link:
        source.rename(tmp_path / "elsewhere.png")
        source.symlink_to("elsewhere.png")
    inputs = inputs_of(tmp_path)
    with pytest.raises(UserError, match=r"would overwrite a\.jpg\.png"):
        check_outputs(inputs, None, Overlays(tmp_path, alone=False))
    with pytest.raises(UserError, match="would overwrite a source"):
        check_outputs(inputs, source, None)


@pytest.mark.parametrize(("fov", "expected"), [(None, 36 / np.hypot(36, 24)), (90.0, 0.5 / 1.5)])
def test_effects_get_the_camera_of_the_exif_data_unless_told(
    fov: float | None, expected: float, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 36  # [mm] on a diagonal of 43.3 mm
    exif[0x0112] = 6  # on its side: 60 x 40 upright
    Image.new("RGB", (40, 60)).save(tmp_path / "a.jpg", exif=exif)
    cameras = []

    def draw(image: np.ndarray, _: np.ndarray, camera: Camera) -> np.ndarray:
        cameras.append(camera)
        return image

    overlays = Overlays(tmp_path / "drawn", alone=True, scale=2, effects=(draw,), fov=fov)
    run(inputs_of(tmp_path / "a.jpg"), overlays)
    (camera,) = cameras
    assert (camera.width, camera.height) == (120, 80)
    focal = expected * (120 if fov else np.hypot(120, 80))
    assert camera.fx == camera.fy == pytest.approx(focal)


def test_impossible_fields_of_view_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a field of view is 200 degrees"):
        Overlays(tmp_path, alone=True, fov=200)
