"""What `readiness` says of NVIDIA's parser, asked of the parser itself."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from amesh.deploy.tensorrt import readiness
from amesh.deploy.tensorrt.library import Log
from amesh.deploy.tensorrt.plan import parse
from amesh.errors import UserError

FLOAT, HALF, UINT8 = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8
info = helper.make_tensor_value_info
node = helper.make_node


def small(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    output: onnx.ValueInfoProto,
    constants: dict[str, np.ndarray] | None = None,
    opset: int = 19,
) -> onnx.ModelProto:
    weights = [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()]
    graph = helper.make_graph(nodes, "small", inputs, [output], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def layers(model: onnx.ModelProto) -> list[Any]:
    """The layers that the parser makes of a graph; raises UserError if it refuses."""
    import tensorrt as trt

    log = Log()
    network = trt.Builder(log.sink).create_network(0)
    parse(network, model.SerializeToString(), log)
    found = []
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        if layer.type == trt.LayerType.GRID_SAMPLE:
            layer.__class__ = trt.IGridSampleLayer
        elif layer.type == trt.LayerType.RESIZE:
            layer.__class__ = trt.IResizeLayer
        found.append(layer)
    return found


def named(model: onnx.ModelProto, words: str) -> bool:
    return any(words in problem for problem in readiness.check(model).problems)


@pytest.mark.parametrize("opset", [readiness.OPSETS[0], 19, 22, readiness.OPSETS[-1]])
def test_opsets(opset: int):
    model = small(
        [node("ReduceMax", ["x", "axes"], ["y"], keepdims=0)],
        [info("x", FLOAT, [1, 4, 8])],
        info("y", FLOAT, [1, 4]),
        {"axes": np.array([2])},
        opset,
    )
    assert layers(model)
    assert not named(model, "opset")


def test_a_grid_sample_is_read_as_linear():
    for opset, mode in ((16, "bilinear"), (19, "bilinear"), (20, "linear"), (22, "linear")):
        model = small(
            [node("GridSample", ["x", "g"], ["y"], mode=mode, align_corners=0)],
            [info("x", FLOAT, [1, 2, 8, 8]), info("g", FLOAT, [1, 4, 4, 2])],
            info("y", FLOAT, [1, 2, 4, 4]),
            opset=opset,
        )
        assert layers(model)[-1].interpolation_mode.name == "LINEAR"
        # Not of ours all the same: other TensorRTs may differ, and the gather sampler fuses.
        assert named(model, "GridSample is not supported")


def test_the_detectors_resize_is_linear():
    model = small(
        [node("Resize", ["x", "", "s"], ["y"], mode="linear")],
        [info("x", FLOAT, [1, 2, 8, 8])],
        info("y", FLOAT, [1, 2, 16, 16]),
        {"s": np.array([1, 1, 2, 2], np.float32)},
    )
    (layer,) = layers(model)
    assert layer.resize_mode.name == "LINEAR"
    assert layer.coordinate_transformation.name == "HALF_PIXEL"


@pytest.mark.parametrize("operator", ["Add", "Max", "PRelu"])
def test_mixed_types_are_refused(operator: str):
    model = small(
        [node(operator, ["x", "z"], ["y"], "mixer")],
        [info("x", FLOAT, [1, 4]), info("z", HALF, [1, 4])],
        info("y", FLOAT, [1, 4]),
    )
    with pytest.raises(UserError, match="mixer"):
        layers(model)
    assert named(model, f"operands of different types: mixer ({operator})")


def test_the_operands_of_a_power_are_cast():
    model = small(
        [node("Pow", ["x", "z"], ["y"])],
        [info("x", FLOAT, [1, 4]), info("z", HALF, [1, 4])],
        info("y", FLOAT, [1, 4]),
    )
    assert "CAST" in [layer.type.name for layer in layers(model)]
    assert not named(model, "operands of different types")


def test_double_precision_becomes_single():
    model = small(
        [node("Cast", ["x"], ["d"], to=TensorProto.DOUBLE), node("Cast", ["d"], ["y"], to=FLOAT)],
        [info("x", FLOAT, [1, 4])],
        info("y", FLOAT, [1, 4]),
    )
    assert {layer.get_output(0).dtype.name for layer in layers(model)} == {"FLOAT"}
    assert named(model, "computes in single precision")


@pytest.mark.parametrize("opset", [19, 21, 23])
@pytest.mark.parametrize("zero", [np.int8(0), np.int8(3), np.uint8(128)])
def test_zero_points_are_zero(opset: int, zero: Any):
    model = small(
        [
            node("QuantizeLinear", ["x", "s", "z"], ["q"], "uneven"),
            node("DequantizeLinear", ["q", "s", "z"], ["y"]),
        ],
        [info("x", HALF, [1, 64, 4, 4])],
        info("y", HALF, [1, 64, 4, 4]),
        {"s": np.array(0.1, np.float16), "z": np.array(zero)},
        opset,
    )
    assert named(model, "zero points other than 0") == bool(zero)
    if zero:
        with pytest.raises(UserError, match="uneven"):
            layers(model)
    else:
        assert layers(model)


def test_bytes_may_only_be_cast():
    rows = {"rows": np.array([-1, 3])}
    picture = [info("picture", UINT8, [4, 4, 3]), info("rois", FLOAT, [1, 4])]
    output = info("y", FLOAT, [16, 3])
    first = small(
        [
            node("Reshape", ["picture", "rows"], ["r"], "rower"),
            node("Cast", ["r"], ["y"], to=FLOAT),
        ],
        picture,
        output,
        rows,
    )
    with pytest.raises(UserError, match="rower"):
        layers(first)
    assert named(first, "picture is uint8, which TensorRT can only cast: rower")
    second = small(
        [
            node("Shape", ["picture"], ["extent"]),
            node("Cast", ["picture"], ["c"], to=FLOAT),
            node("Reshape", ["c", "rows"], ["r"]),
            node("Cast", ["extent"], ["e"], to=FLOAT),
            node("Add", ["r", "e"], ["y"]),
        ],
        picture,
        output,
        rows,
    )
    assert layers(second)
    assert not named(second, "uint8")
