"""What people pass to `FaceMesh`: it is understood, or refused in a line that says what to give."""

import io
import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from amesh.errors import UserError
from amesh.geometry.roi import Roi
from amesh.pipeline.arguments import as_count, as_image, as_rois, as_score, as_time, rois_of_boxes

PICTURE = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
BOX = [150, 60, 300, 220]


def test_a_path_a_text_and_a_pil_image_are_pictures(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    Image.fromarray(PICTURE).save(file)
    for given in (PICTURE, file, str(file), Image.fromarray(PICTURE), Image.open(file)):
        np.testing.assert_array_equal(as_image(given), PICTURE)


def test_a_pil_image_is_read_as_a_file_would_be() -> None:
    grey = Image.fromarray(PICTURE[..., 0])
    assert as_image(grey).shape == (40, 60, 3)
    clear = Image.new("RGBA", (5, 4), (0, 0, 0, 0))
    assert (as_image(clear) == 255).all()
    turned = Image.fromarray(PICTURE)
    turned.getexif()[0x0112] = 6
    np.testing.assert_array_equal(as_image(turned), np.rot90(PICTURE, -1))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "the picture is None"),
        ([PICTURE, PICTURE], "expected one picture, found a list of 2"),
        (7, "a picture cannot be a int"),
        (torch.zeros(3, 9, 9), "cannot be a Tensor"),
        ("no_such.jpg", "no_such.jpg: no such file"),
        (np.zeros((9, 9, 3)), r"float64 \(9, 9, 3\); expected uint8"),
        (np.zeros((9, 9, 4), np.uint8), r"uint8 \(9, 9, 4\); expected uint8"),
        (np.zeros((9, 9), np.uint8), r"uint8 \(9, 9\); expected uint8"),
    ],
)
def test_what_is_no_picture_is_refused(value: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        as_image(value)


def closed() -> Image.Image:
    image = Image.fromarray(PICTURE)
    image.close()
    return image


def cut_short() -> Image.Image:
    file = io.BytesIO()
    Image.fromarray(PICTURE).save(file, "JPEG")
    return Image.open(io.BytesIO(file.getvalue()[:-500]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (closed, "PIL image cannot be read"),
        (cut_short, "PIL image cannot be read .*truncated"),
        (lambda: Image.new("RGB", (0, 5)), "PIL image is empty: 0 x 5 px"),
        (lambda: Image.new("La", (5, 5)), "PIL image cannot be read .*La to"),
    ],
)
def test_a_pil_image_without_pixels_is_refused(
    make: Callable[[], Image.Image], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        as_image(make())


@pytest.mark.parametrize(
    "boxes",
    [
        BOX,
        [BOX],
        [tuple(BOX)],
        np.array(BOX),
        np.array([[*BOX, 0.9]]),
        torch.tensor([BOX]),
        np.array([BOX], np.float32),
        np.array([BOX, BOX])[::-1][:1],
        np.asfortranarray([BOX]),
    ],
)
def test_boxes_of_every_usual_form_give_the_same_region(boxes: object) -> None:
    centre, size, angle = rois_of_boxes(boxes)
    assert centre.tolist() == [[225, 140]]
    assert size.tolist() == [1.5 * 160]
    assert angle.tolist() == [0]


def test_a_reversed_view_keeps_its_order() -> None:
    boxes = np.array([[0, 0, 10, 10], [100, 0, 120, 20]])
    assert rois_of_boxes(boxes[::-1]).centre[:, 0].tolist() == [110, 5]


@pytest.mark.parametrize("boxes", [[], np.zeros((0, 4)), torch.zeros(0, 4)])
def test_no_boxes_are_no_regions(boxes: object) -> None:
    assert len(rois_of_boxes(boxes).size) == 0


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ([[300, 60, 150, 220]], r"box 0 is \(300, 60, 150, 220\)"),
        ([BOX, [150, 220, 300, 60]], "box 1 is .*bottom > top"),
        ([[0, 0, 0, 10]], "box 0 .*right > left"),
        ([[0, 0, np.nan, 10]], "box 0 is .*nan"),
        ([[0, 0, np.inf, 10]], "box 0 is .*inf"),
        ([1, 2, 3], r"shape \(3,\), not \(n, 4\)"),
        (np.zeros((1, 1, 4)), r"shape \(1, 1, 4\), not \(n, 4\)"),
        ([[1, 2, 3, 4], [1, 2]], "rows of equal length"),
        ("here", "boxes are not numbers"),
    ],
)
def test_invalid_boxes_are_refused(boxes: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        rois_of_boxes(boxes)


def test_a_region_comes_from_four_numbers() -> None:
    region = as_rois(Roi.at(225, 140, 240, 0.5))
    assert [part.tolist() for part in region] == [[[225, 140]], [240], [0.5]]
    assert Roi.at(225, 140, 240).angle.tolist() == [0]


def test_a_region_of_tensors_becomes_one_of_arrays() -> None:
    weight = torch.tensor([240.0], requires_grad=True)
    region = as_rois(Roi(torch.tensor([[225, 140]]), weight, 0.5))
    assert [part.tolist() for part in region] == [[[225, 140]], [240], [0.5]]
    assert {type(part) for part in region} == {np.ndarray}


def test_regions_of_several_faces_are_joined() -> None:
    region = as_rois([Roi.at(1, 2, 3), Roi.at(4, 5, 6, 0.1)])
    assert region.centre.tolist() == [[1, 2], [4, 5]]
    assert region.size.tolist() == [3, 6]
    assert len(as_rois([]).size) == 0


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ((225, 140, 240, 0), "rois is a int; give an amesh.Roi"),
        (np.zeros((1, 4)), "rois is a ndarray"),
        (Roi(np.zeros((1, 2)), "240", 0.0), "a Roi holds no numbers"),
        (Roi.at(225, 140, 0), "region of interest 0 .*above 0"),
        (Roi.at(1e300, 1, 3), "region of interest 0 .*finite"),
        (Roi.at(225, 140, 1e300), "region of interest 0 .*finite"),
        (Roi.at(225, np.nan, 3), "region of interest 0 .*finite"),
        ([Roi.at(1, 2, 3), Roi.at(1, 2, -3)], "region of interest 0 has .*size -3"),
        (
            Roi(np.zeros((2, 2)), np.ones(1), np.zeros(1)),
            "2 centres, 1 sizes and 1 angles",
        ),
    ],
)
def test_an_invalid_region_is_refused(value: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        as_rois(value)


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_whole_numbers_of_numpy_count(value: object) -> None:
    assert type(as_count(value, "most")) is int
    assert as_count(value, "most") == 3


@pytest.mark.parametrize("value", [0, -1, 1.0, np.float32(1), True, "3", None, [3]])
def test_what_is_no_whole_number_above_0_is_refused(value: object) -> None:
    with pytest.raises(UserError, match=r"^most is .*; expected 1, 2, 3, \.\.\. frames$"):
        as_count(value, "most", " frames")


@pytest.mark.parametrize("value", [0, 0.5, np.float32(0.5), Fraction(1, 2)])
def test_a_threshold_is_a_number_from_0_to_below_1(value: object) -> None:
    assert as_score(value, "least") in (0.0, 0.5)


@pytest.mark.parametrize("value", [1, -0.1, math.nan, "0.5", None, 1j])
def test_what_is_no_probability_below_1_is_refused(value: object) -> None:
    with pytest.raises(UserError, match=r"^least is .*; expected a probability"):
        as_score(value, "least")


def test_a_time_is_any_finite_number() -> None:
    assert [as_time(value) for value in (-5, np.float32(0.5), Fraction(1, 4))] == [-5.0, 0.5, 0.25]


@pytest.mark.parametrize("value", [math.inf, math.nan, 10**400, "1", None, 1j, np.array(0.5)])
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(UserError, match="the time of a frame is"):
        as_time(value)


def test_misuse_is_one_line_without_the_shape_checks(run_python: Callable[[str], str]) -> None:
    printed = run_python("""
from types import SimpleNamespace
import numpy as np
from amesh.errors import UserError
from amesh.geometry.roi import Roi
from amesh.pipeline.face_pipeline import FacePipeline
from amesh.topology import load
picture = np.zeros((9, 9, 3), np.uint8)
runner = SimpleNamespace(topology=load())
face_mesh = FacePipeline(runner, lambda image: [])
calls = [
    lambda: face_mesh(None),
    lambda: face_mesh([[picture, picture]]),
    lambda: face_mesh([picture], boxes=[0, 0, 1, 1]),
    lambda: face_mesh.map([picture], workers=0),
    lambda: face_mesh.map([picture], workers="2"),
    lambda: face_mesh.map("photo.jpg"),
    lambda: face_mesh("photo.jpg"),
    lambda: face_mesh(picture, boxes=[[5, 0, 1, 4]]),
    lambda: face_mesh(picture, boxes="here"),
    lambda: face_mesh(picture, rois=(1, 2, 3, 0)),
    lambda: face_mesh(picture, rois=Roi(1, "2", 3)),
    lambda: face_mesh(picture, rois=Roi.at(1, 2, 3), boxes=[0, 0, 1, 1]),
    lambda: FacePipeline(None, None, max_faces=1.5),
    lambda: FacePipeline(None, None, max_faces=True),
    lambda: FacePipeline(None, None, min_score="0.5"),
    lambda: FacePipeline(None, None, min_score=None),
]
for call in calls:
    try:
        call()
    except UserError as error:
        assert len(str(error).splitlines()) == 1, error
    else:
        raise AssertionError("accepted")
print(len(calls), "refused")
""")
    assert "16 refused" in printed
