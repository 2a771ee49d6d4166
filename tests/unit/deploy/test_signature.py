"""Which files are landmark networks, with and without expected errors."""

import pytest

from amesh.deploy.signature import (
    check_detector,
    check_landmark_network,
    check_points,
    landmark_outputs,
)
from amesh.errors import UserError

IMAGE = {"image": (1, 3, 64, 64)}
PLAIN = {"landmarks": (1, 478, 3), "face_flag": (1,)}
ERRORS = {"expected_error": (1, 478)}


@pytest.mark.parametrize("outputs", [PLAIN, PLAIN | ERRORS])
def test_expected_errors_are_optional(outputs: dict[str, tuple[int, ...]]):
    assert tuple(outputs) == landmark_outputs("expected_error" in outputs)
    assert check_landmark_network("a.onnx", IMAGE, outputs, "nchw") == 64
    assert check_points("a.onnx", outputs, "face478").points == 478


@pytest.mark.parametrize("outputs", [ERRORS, PLAIN | {"confidence": (1, 478)}])
def test_other_outputs_are_no_landmark_network(outputs: dict[str, tuple[int, ...]]):
    with pytest.raises(UserError, match=r"a\.onnx: not an exported landmark network"):
        check_landmark_network("a.onnx", IMAGE, outputs, "nchw")


@pytest.mark.parametrize(
    ("inputs", "outputs", "what"),
    [
        (("picture", "rois"), PLAIN, "but a network that cuts its own crops, for programs without"),
        (("image",), {"boxes": (1, 896, 16), "scores": (1, 896)}, "but a face detector"),
        (("image",), {"lips": (1, 80, 2)}, r"\(inputs image; outputs lips\)"),
    ],
)
def test_what_else_a_file_is_is_said(inputs: tuple[str], outputs: dict, what: str):
    shapes = dict.fromkeys(inputs, IMAGE["image"])
    with pytest.raises(UserError, match=f"not an exported landmark network,? {what}"):
        check_landmark_network("a.onnx", shapes, outputs, "nchw")


def test_a_landmark_network_is_no_detector():
    with pytest.raises(UserError, match="not an exported face detector, but a landmark network"):
        check_detector("a.onnx", IMAGE, PLAIN, "nchw")


def test_expected_errors_of_other_landmarks_are_refused():
    with pytest.raises(UserError, match="expected errors are 468, but topology face478 has 478"):
        check_points("a.onnx", PLAIN | {"expected_error": (1, 468)}, "face478")
