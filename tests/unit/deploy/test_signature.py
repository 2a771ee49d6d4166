"""Which files are landmark networks, with and without expected errors."""

import pytest

from amesh.deploy.signature import check_landmark_network, check_points, landmark_outputs
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


def test_expected_errors_of_other_landmarks_are_refused():
    with pytest.raises(UserError, match="expected errors are 468, but topology face478 has 478"):
        check_points("a.onnx", PLAIN | {"expected_error": (1, 468)}, "face478")
