from dataclasses import replace

import numpy as np
import pytest

from amesh.deploy import parity
from amesh.deploy.crops import parity_crops, upright_faces
from amesh.deploy.parity import Figures, Parity
from amesh.errors import UserError
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.config import NAMED
from amesh.runner import RunnerOutput, TorchRunner
from amesh.topology import load

FACE = load("face478")


def outputs(count: int = 2) -> dict[str, np.ndarray]:
    return {
        "landmarks": np.zeros((count, 478, 3), np.float32),
        "face_flag": np.zeros(count, np.float32),
    }


def figures(largest: float, p999: float = 0.0, size: int = 256) -> Parity:
    return Parity("x", 1, size, Figures(largest, p999), {"mesh": Figures(largest, p999)}, None)


def test_errors_are_distances_by_region():
    found = outputs()
    lips = FACE.regions[0].indices
    iris = FACE.irises[0].indices
    found["landmarks"][0, lips[3]] = (0.3, 0.0, 0.4)
    found["landmarks"][1, iris[0]] = (0.0, 0.2, 0.0)
    found["face_flag"][1] = -2
    result = parity.compare(RunnerOutput(**found), outputs(), FACE.outputs, 192, "mine")
    assert result.all.max == pytest.approx(0.5)
    assert result.regions["lips"].max == pytest.approx(0.5)
    assert result.regions["right_iris"].max == pytest.approx(0.2)
    assert result.regions["mesh"] == Figures(0.0, 0.0)
    assert set(result.regions) == {
        *("lips", "right_eye", "left_eye", "right_iris", "left_iris", "mesh")
    }
    assert result.logit == 2
    assert (result.crops, result.count, result.input_size) == ("mine", 2, 192)


def test_a_detectors_errors_are_those_of_its_points():
    expected = {"boxes": np.zeros((2, 5, 16), np.float32), "scores": np.zeros((2, 5), np.float32)}
    found = {name: array.copy() for name, array in expected.items()}
    found["boxes"][1, 3, 4:6] = (0.3, -0.4)  # one keypoint
    found["boxes"][1, 3, 6] = 0.2
    found["scores"][0, 2] = -0.25
    result = parity.compare(found, expected, {}, 128, "mine")
    assert result.all.max == pytest.approx(0.5)
    assert set(result.regions) == {"boxes"}
    assert result.logit == 0.25
    assert result.count == 2


def test_logits_have_a_tolerance_in_single_precision():
    near, far, unknown = (replace(figures(0), logit=logit) for logit in (0.009, 0.011, np.nan))
    assert near.problem("fp32") is None
    for wrong in (far, unknown):
        assert "logits differ" in (wrong.problem("fp32") or "")
    assert far.problem("fp16") is None


def test_percentile_is_over_all_landmarks_of_all_crops():
    found = outputs(10)
    found["landmarks"][:, :, 0] = np.arange(4780).reshape(10, 478)
    result = parity.compare(found, outputs(10), FACE.outputs, 192, "mine")
    assert result.all.p999 == pytest.approx(4779 * 0.999)


@pytest.mark.parametrize(
    ("precision", "size", "largest", "p999"),
    [("fp32", 192, 0.01, 0.01), ("fp32", 256, 0.01, 0.01), ("fp16", 256, 0.5, 0.15),
     ("fp16", 192, 0.375, 0.1125)],
)  # fmt: skip
def test_tolerances(precision: parity.Precision, size: int, largest: float, p999: float):
    allowed = parity.tolerance(precision, size)
    assert (allowed.max, allowed.p999) == pytest.approx((largest, p999))
    assert figures(largest * 0.99, p999 * 0.99, size).problem(precision) is None
    assert figures(largest * 1.01, p999, size).problem(precision) is not None
    assert figures(largest, p999 * 1.01, size).problem(precision) is not None


def test_what_is_out_of_tolerance_is_refused_with_its_figures():
    with pytest.raises(UserError, match=r"a\.onnx: .*0\.7 px .*mesh.*fp1"):
        parity.require(figures(0.7, 0.1), "fp16", "a.onnx")


def test_expected_errors_are_compared_in_pixels_too():
    errors = {"expected_error": np.ones((2, 478), np.float32)}
    wrong = {"expected_error": errors["expected_error"] + np.float32(0.7)}
    result = parity.compare(outputs() | wrong, outputs() | errors, FACE.outputs, 192, "mine")
    assert result.regions["expected_error"].max == pytest.approx(0.7)
    assert result.problem("fp16") is not None
    with pytest.raises(UserError, match=r"output expected_error: .*found None"):
        parity.compare(outputs(), outputs() | errors, FACE.outputs, 192, "mine")


def test_nan_fails():
    found = outputs()
    found["landmarks"][1, 5, 2] = np.nan
    result = parity.compare(found, outputs(), FACE.outputs, 192, "mine")
    assert result.problem("int8") is not None
    with pytest.raises(UserError, match=r"worst: mesh"):
        parity.require(result, "fp16", "a.onnx")


def test_outputs_of_another_shape_or_name_are_refused():
    found = outputs()
    found["landmarks"] = found["landmarks"][:, :468]
    with pytest.raises(UserError, match=r"\(2, 478, 3\).*\(2, 468"):
        parity.compare(found, outputs(), FACE.outputs, 192, "mine")
    del found["landmarks"]
    with pytest.raises(UserError, match=r"landmarks: .*\(2, 478, 3\).*None"):
        parity.compare(found, outputs(), FACE.outputs, 192, "mine")


def test_a_network_equals_itself():
    net = AttentionMesh(NAMED["tiny-128"]).eval()
    result = parity.measure(TorchRunner(net), net)
    assert result.all == Figures(0.0, 0.0)
    assert result.count == len(parity_crops(128).names)
    assert result.crops == "collins-1"


def test_verifying_int8_takes_upright_faces():
    net = AttentionMesh(NAMED["tiny-128"]).eval()
    result = parity.verify(TorchRunner(net), net, "int8", "a file")
    assert result.crops == "collins-1, upright faces"
    assert result.count == len(upright_faces(128).names) < len(parity_crops(128).names)


def test_the_reference_is_computed_in_evaluation_and_single_precision():
    net = AttentionMesh(replace(NAMED["tiny-128"], batch_norm=True))
    images = parity_crops(128).images[:2]
    expected = parity.reference(net.eval(), images)
    found = parity.reference(net.double().train(), images)
    np.testing.assert_array_equal(found["landmarks"], expected["landmarks"])
    assert net.training


def test_the_crops_are_many_and_the_same():
    names, images = parity_crops(192)
    assert images.shape == (len(names), 192, 192, 3)
    assert images.dtype == np.float32
    assert images.min() >= 0
    assert images.max() <= 1
    assert {"level", "half outside", "black", "white", "gradient", "noise"} <= set(names)
    assert len(set(names)) == len(names) >= 15
    parity_crops.cache_clear()
    np.testing.assert_array_equal(parity_crops(192).images, images)


@pytest.mark.weights
def test_the_crops_show_a_face_where_they_should(released: AttentionMesh):
    names, images = parity_crops(192)
    flags = dict(zip(names, TorchRunner(released)(images).face_flag, strict=True))
    without = {"half outside", "upside down", "black", "white", "gradient", "noise"}
    assert {name for name, flag in flags.items() if flag < 0} == without
