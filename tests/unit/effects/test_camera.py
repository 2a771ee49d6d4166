"""Cameras: how pixels and directions belong together, and what EXIF data says of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from amesh import UserError
from amesh.effects.camera import Camera


def photo(path: Path, size: tuple[int, int], **tags: int) -> Path:
    image = Image.new("RGB", size)
    exif = Image.Exif()
    if "orientation" in tags:
        exif[0x0112] = tags["orientation"]
    if "focal" in tags:
        exif.get_ifd(0x8769)[0xA405] = tags["focal"]
    image.save(path, exif=exif)
    return path


def test_convention_camera_axes_and_pixels() -> None:
    camera = Camera(640, 480, 500.0, 400.0, 320.0, 240.0)
    # Right, down and away from the camera; the corner of the picture is (0, 0).
    assert camera.project(np.array([100.0, -50.0, 1000.0])).tolist() == [370.0, 220.0]
    assert camera.project(np.array([0.0, 0.0, 1.0])).tolist() == [320.0, 240.0]


def test_convention_field_of_view_is_vertical() -> None:
    camera = Camera.from_fov(1000, 480, vertical=90)
    assert (camera.width, camera.height, camera.cx, camera.cy) == (1000, 480, 500, 240)
    assert (camera.fx, camera.fy) == pytest.approx((240, 240))
    top, bottom = camera.rays(np.array([[500.0, 0.0], [500.0, 480.0]]))
    assert top @ bottom == pytest.approx(0, abs=1e-12)


def test_rays_lead_back_to_the_pixels() -> None:
    camera = Camera(640, 480, 500.0, 410.0, 300.0, 250.0)
    pixels = np.array([[0.0, 0.0], [640.0, 13.0], [77.7, 480.0]])
    rays = camera.rays(pixels)
    np.testing.assert_allclose(np.linalg.norm(rays, axis=1), 1)
    np.testing.assert_allclose(camera.project(rays * 730), pixels)


@pytest.mark.parametrize(("orientation", "size"), [(1, (400, 300)), (6, (300, 400))])
def test_exif_gives_the_camera_of_the_upright_picture(
    orientation: int, size: tuple[int, int], tmp_path: Path
) -> None:
    path = photo(tmp_path / "a.jpg", (400, 300), focal=50, orientation=orientation)
    camera = Camera.from_exif(path)
    # 50 mm on film with a diagonal of 43.267 mm; the picture's diagonal is 500 px.
    assert (camera.width, camera.height) == size
    assert (camera.fx, camera.fy) == pytest.approx((577.81, 577.81), abs=0.01)
    assert (camera.cx, camera.cy) == (size[0] / 2, size[1] / 2)


@pytest.mark.parametrize("tags", [{}, {"focal": 0}])
def test_a_picture_that_does_not_state_its_focal_length(
    tags: dict[str, int], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"a\.jpg: its EXIF data does not state"):
        Camera.from_exif(photo(tmp_path / "a.jpg", (40, 30), **tags))


def test_what_is_no_picture_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("not a picture")
    for name in ("a.jpg", "absent.jpg"):
        with pytest.raises(UserError, match=f"{name}: no picture that can be read"):
            Camera.from_exif(tmp_path / name)


def test_a_scaled_camera_sees_the_same_in_an_enlarged_picture() -> None:
    camera = Camera(640, 480, 500.0, 410.0, 300.0, 250.0)
    point = np.array([30.0, 40.0, 700.0])
    np.testing.assert_allclose(camera.scaled(3).project(point), 3 * camera.project(point))
    assert (camera.scaled(3).width, camera.scaled(3).height) == (1920, 1440)


def test_a_picture_of_another_size_is_refused() -> None:
    camera = Camera.from_fov(640, 480)
    camera.require(np.zeros((480, 640, 3), np.uint8))
    with pytest.raises(UserError, match="640 x 480 px, and this one has 480 x 640"):
        camera.require(np.zeros((640, 480, 3), np.uint8))


@pytest.mark.parametrize("vertical", [0.0, 180.0, float("nan"), -5.0])
def test_impossible_fields_of_view(vertical: float) -> None:
    with pytest.raises(UserError, match="field of view"):
        Camera.from_fov(640, 480, vertical)


@pytest.mark.parametrize("numbers", [(0, 480, 1.0, 1.0), (640, 480, -1.0, 1.0)])
def test_impossible_cameras(numbers: tuple[int, int, float, float]) -> None:
    with pytest.raises(UserError, match="expected numbers above 0"):
        Camera(*numbers, 0.0, 0.0)
    with pytest.raises(UserError, match="principal point"):
        Camera(640, 480, 1.0, 1.0, float("nan"), 0.0)


@pytest.mark.parametrize("wrong", [(480, 640, 3), (640,), 640, None, "ab", (np.nan, 480)])
def test_what_is_no_camera_is_refused(wrong: Any) -> None:
    with pytest.raises(UserError, match="is no camera; give a Camera, or"):
        Camera.of(wrong)


def test_a_size_as_opencv_states_it_is_a_camera() -> None:
    assert Camera.of((640.0, 480.0)) == Camera.from_fov(640, 480)
