from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper
from packaging.version import Version

from amesh.deploy.onnx import calibration, quantise
from amesh.deploy.onnx.export import about
from amesh.deploy.tensorrt import readiness
from amesh.errors import UserError
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.config import NAMED

GraphMaker = Callable[..., onnx.ModelProto]
# Older versions round twice where the scales of Q/DQ are in half precision.
needs_exact_int8 = pytest.mark.skipif(
    Version(onnxruntime.__version__) < Version("1.30"), reason="needs ONNX Runtime 1.30"
)


@pytest.fixture
def crops() -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.random((2, 64, 64, 3), np.float32) for _ in range(3)]


def run(model: onnx.ModelProto, crops: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    image = np.ascontiguousarray(crops.transpose(0, 3, 1, 2))
    return session.run(["landmarks"], {"image": image})[0]


def weights_of(model: onnx.ModelProto) -> dict[str, bytes]:
    return {weight.name: weight.SerializeToString() for weight in model.graph.initializer}


def test_only_wide_ordinary_convolutions_of_the_trunk(small_graph: GraphMaker):
    found = [target.node for target in calibration.targets(small_graph())]
    # Not the stem (3 channels), the depthwise, or the head (by name, and 32 channels).
    assert found == ["blocks.0.pointwise", "blocks.1.pointwise"]


@needs_exact_int8
def test_the_quantised_graph_is_ready_and_close(small_graph: GraphMaker, crops: list[np.ndarray]):
    model = small_graph()
    before = model.SerializeToString()
    quantised = quantise.quantise(model, crops)
    assert model.SerializeToString() == before
    found = readiness.check(quantised)
    assert found.problems == ()
    assert found.precision == "int8"
    assert (found.operators["QuantizeLinear"], found.operators["DequantizeLinear"]) == (2, 4)
    reference = run(model, crops[0])
    error = np.abs(run(quantised, crops[0]) - reference)
    assert 0 < error.mean() < 0.02 * np.abs(reference).mean()


def test_equalising_changes_nothing_but_the_ranges(
    small_graph: GraphMaker, crops: list[np.ndarray]
):
    model = small_graph()
    for weight in model.graph.initializer:  # one channel far above the others, and turned down
        values = numpy_helper.to_array(weight).copy()
        if weight.name == "blocks.0.depthwise.weight":
            values[3] *= 50
        elif weight.name == "blocks.0.pointwise.weight":
            values[:, 3] /= 50
        weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    reference = run(model, crops[0])
    equal = quantise.equalise(model, crops)
    np.testing.assert_allclose(run(equal, crops[0]), reference, atol=5e-3 * reference.std())
    ranges = calibration.calibrate(equal, crops, "max")
    assert (
        ranges["blocks.0.depthwise"]
        < 0.2 * calibration.calibrate(model, crops, "max")["blocks.0.depthwise"]
    )
    plain = quantise.insert(model, calibration.calibrate(model, crops))
    errors = [
        np.abs(run(m, crops[0]) - reference).mean()
        for m in (quantise.quantise(model, crops), plain)
    ]
    assert errors[0] < 0.7 * errors[1]


def test_equalising_leaves_alone_what_others_read(small_graph: GraphMaker, crops: list[np.ndarray]):
    seen = small_graph()
    name = "blocks.0.depthwise"
    seen.graph.output.append(onnx.helper.make_tensor_value_info(name, 10, None))
    assert weights_of(quantise.equalise(small_graph(), crops)) != weights_of(small_graph())
    assert weights_of(quantise.equalise(seen, crops)) == weights_of(seen)


@needs_exact_int8
def test_two_convolutions_may_share_a_weight(small_graph: GraphMaker, crops: list[np.ndarray]):
    model = small_graph()
    first = next(node for node in model.graph.node if node.name == "blocks.0.pointwise")
    twin = onnx.NodeProto()
    twin.CopyFrom(first)
    twin.name, twin.output[0] = "twin", "twin"
    added = onnx.helper.make_node("Add", [first.output[0], "twin"], ["both"], "both")
    cut = next(node for node in model.graph.node if node.name == "cut")
    cut.input[0] = "both"
    nodes = [
        n
        for node in model.graph.node
        for n in ((node, twin, added) if node.name == first.name else (node,))
    ]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    reference = run(model, crops[0])
    error = np.abs(run(quantise.quantise(model, crops), crops[0]) - reference)
    assert 0 < error.mean() < 0.02 * np.abs(reference).mean()


def test_scales_are_symmetric_half_precision(small_graph: GraphMaker, crops: list[np.ndarray]):
    quantised = quantise.quantise(small_graph(), crops)
    arrays = {w.name: numpy_helper.to_array(w) for w in quantised.graph.initializer}
    scales = {name: array for name, array in arrays.items() if name.endswith(".scale")}
    assert {array.dtype for array in scales.values()} == {np.dtype(np.float16)}
    assert arrays["blocks.0.pointwise.weight.scale"].shape == (160,)
    assert scales["cut.scale"].shape == ()
    numbers = arrays["blocks.0.pointwise.weight.int8"]
    assert numbers.dtype == np.int8
    # Each channel uses the whole range, and never -128.
    assert np.abs(numbers.astype(int)).max(axis=(1, 2, 3)).tolist() == [127] * 160
    assert not any(arrays[name].any() for name in arrays if name.endswith("zero"))
    # The weights in half precision are gone: nothing uses them any more.
    assert "blocks.0.pointwise.weight" not in arrays


def test_weights_come_back_within_half_a_step(small_graph: GraphMaker, crops: list[np.ndarray]):
    model = small_graph()
    weight = next(w for w in model.graph.initializer if w.name == "blocks.1.pointwise.weight")
    before = numpy_helper.to_array(weight).astype(np.float64)
    quantised = quantise.quantise(model, crops)
    arrays = {w.name: numpy_helper.to_array(w) for w in quantised.graph.initializer}
    numbers = arrays["blocks.1.pointwise.weight.int8"].astype(np.float64)
    scale = arrays["blocks.1.pointwise.weight.scale"].astype(np.float64)[:, None, None, None]
    # Half a step; and what the largest weight loses to the scale's own rounding to 11 bits.
    assert (np.abs(numbers * scale - before) <= scale * (0.5 + 127 * 2.0**-11)).all()


def test_max_and_percentile_ranges(small_graph: GraphMaker, crops: list[np.ndarray]):
    model = small_graph()
    top = calibration.calibrate(model, crops, "max")
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.append(onnx.helper.make_tensor_value_info("cut", 10, None))
    session = onnxruntime.InferenceSession(
        watched.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    seen = np.concatenate(
        [
            session.run(["cut"], {"image": np.ascontiguousarray(c.transpose(0, 3, 1, 2))})[0]
            for c in crops
        ]
    ).astype(np.float32)
    assert top["cut"] == pytest.approx(seen.max(), rel=1e-3)
    clipped = calibration.calibrate(model, crops, "percentile", 99.0)
    assert clipped["cut"] == pytest.approx(np.percentile(seen, 99.0), rel=5e-3)
    assert clipped["cut"] < top["cut"]


def test_what_cannot_be_quantised(small_graph: GraphMaker, crops: list[np.ndarray]):
    with pytest.raises(UserError, match=r"quantise.*fp16"):
        quantise.quantise(small_graph(half=False), crops)
    with pytest.raises(UserError, match="calibration needs crops"):
        quantise.quantise(small_graph(), [])
    with pytest.raises(UserError, match=r"range .*blocks\.0\.depthwise"):
        quantise.insert(small_graph(), {"cut": 1.0})
    anonymous = small_graph()
    names = {w.name: f"w{i}" for i, w in enumerate(anonymous.graph.initializer)}
    for weight in anonymous.graph.initializer:
        weight.name = names[weight.name]
    with pytest.raises(UserError, match="no head found by name"):
        calibration.targets(anonymous)


@pytest.mark.parametrize("batch", [None, 4])
def test_a_file_is_calibrated_on_all_crops_and_says_its_precision(
    small_graph: GraphMaker, monkeypatch: pytest.MonkeyPatch, batch: int | None
):
    net = AttentionMesh(NAMED["tiny-128"])
    half = small_graph(batch=batch)
    onnx.helper.set_model_props(half, {"amesh": '{"model": "small", "precision": "fp16"}'})
    asked: list[tuple[object, ...]] = []

    def export(net: object, precision: str, batch: int | None, target: str, verify: bool) -> bytes:
        assert not verify  # the int8 file is what gets compared
        asked.append((net, precision, batch, target))
        return half.SerializeToString()

    monkeypatch.setattr(quantise, "export_onnx", export)
    crops = np.random.default_rng(0).random((17, 64, 64, 3), np.float32)
    crops[16] *= 4  # the widest ranges are the last crop's
    found = onnx.load_from_string(quantise.export_int8(net, crops, batch, verify=False))
    assert asked == [(net, "fp16", batch, "gpu")]
    assert about(found) == {"model": "small", "precision": "int8"}
    expected = quantise.quantise(small_graph(), [crops])
    scales = [
        {w.name: numpy_helper.to_array(w) for w in model.graph.initializer}["cut.scale"]
        for model in (found, expected)
    ]
    assert scales[0] == scales[1]


def test_a_file_that_differs_from_pytorch_is_refused(
    small_graph: GraphMaker, monkeypatch: pytest.MonkeyPatch
):
    other = small_graph(size=128).SerializeToString()
    monkeypatch.setattr(quantise, "export_onnx", lambda *_, **__: other)
    crops = np.random.default_rng(0).random((2, 128, 128, 3), np.float32)
    with pytest.raises(UserError, match="int8 ONNX file: differs from PyTorch"):
        quantise.export_int8(AttentionMesh(NAMED["tiny-128"]), crops)


@pytest.mark.parametrize("shape", [(0, 64, 64, 3), (3, 32, 32, 3)])
def test_crops_to_calibrate_on_are_of_the_networks_size(
    small_graph: GraphMaker, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...]
):
    monkeypatch.setattr(quantise, "export_onnx", lambda *_, **__: small_graph().SerializeToString())
    with pytest.raises(UserError, match=f"crops of 64 px.*{shape[0]} of"):
        quantise.export_int8(AttentionMesh(NAMED["tiny-128"]), np.zeros(shape, np.float32))
