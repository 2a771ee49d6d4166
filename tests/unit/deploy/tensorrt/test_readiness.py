from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from amesh.deploy.tensorrt import readiness
from amesh.errors import UserError

GraphMaker = Callable[..., onnx.ModelProto]


def test_a_graph_of_ours_is_ready(small_graph: GraphMaker):
    found = readiness.check(small_graph(half=True))
    assert found.problems == ()
    assert (found.opset, found.precision, found.batch) == (19, "fp16", None)
    assert found.shapes["landmarks"] == ("batch", 478, 3)
    assert found.operators["Conv"] == 7
    # image, two outputs, two last convolutions' weights and results, and what the cast gives.
    assert found.dtypes["float"] == 8
    assert readiness.check(small_graph(half=False, batch=2)).batch == 2
    assert readiness.check(small_graph(half=False)).precision == "fp32"


def test_every_problem_is_named_at_once(small_graph: GraphMaker):
    model = small_graph()
    model.opset_import[0].version = 25
    nodes = [
        helper.make_node("GridSample", ["bent", "grid"], ["sampled"], "looker"),
        helper.make_node("Erf", ["bent"], ["bell"], "bell_node"),
        helper.make_node("FusedConv", ["bent"], ["fused"], "fuser", domain="com.microsoft"),
    ]
    model.graph.node.extend(nodes)
    broken = np.array([1.0, np.nan], np.float32)
    model.graph.initializer.append(numpy_helper.from_array(broken, "poisoned"))
    problems = " | ".join(readiness.check(model).problems)
    for expected in (
        "opset 25, expected 18 to 24",
        "operator GridSample is not supported (export with the gather sampler): looker",
        "operator Erf is not supported: bell_node",
        "operator com.microsoft.FusedConv is not supported: fuser",
        "weights that are not finite: poisoned",
    ):
        assert expected in problems


def test_double_precision_names_the_node(small_graph: GraphMaker):
    model = small_graph()
    cast = helper.make_node("Cast", ["precise"], ["exact"], "to_double", to=TensorProto.DOUBLE)
    model.graph.node.append(cast)
    wanted = "float64 tensors, which TensorRT computes in single precision: to_double"
    assert wanted in readiness.check(model).problems


def test_operands_of_two_types(small_graph: GraphMaker):
    model = small_graph()
    exponent = numpy_helper.from_array(np.array(2, np.int64), "two")
    model.graph.initializer.append(exponent)
    model.graph.node.append(helper.make_node("Mul", ["precise", "two"], ["doubled"], "double"))
    assert readiness.check(model).problems == ("operands of different types: double (Mul)",)
    model.graph.node[-1].op_type = "Pow"  # cast by the parser
    assert readiness.check(model).problems == ()


def test_only_the_batch_may_be_dynamic(small_graph: GraphMaker):
    model = small_graph()
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    assert "image has dynamic axes besides the batch: height" in readiness.check(model).problems


def test_inputs_and_outputs_have_our_names(small_graph: GraphMaker):
    model = small_graph()
    model.graph.input[0].name = "x"
    model.graph.node[0].input[0] = "x"
    del model.graph.output[1]
    problems = readiness.check(model).problems
    assert "inputs x, expected image, or picture and rois" in problems
    assert "outputs landmarks lack face_flag" in problems


def test_half_precision_outputs_are_refused(small_graph: GraphMaker):
    model = small_graph()
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    assert "landmarks is not float32" in readiness.check(model).problems


def test_bytes_are_cast_at_once(small_graph: GraphMaker):
    model = small_graph()
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    assert readiness.check(model).problems == ()
    model.graph.node[0].op_type = "Identity"
    problems = readiness.check(model).problems
    assert "image is uint8, which TensorRT can only cast: start" in problems


def test_every_convolution_has_its_precision(small_graph: GraphMaker):
    found = readiness.check(small_graph(half=True)).convolutions
    assert found["stem.convolution"] == "fp16"
    assert found["head.points"] == "fp32"  # coordinates
    assert list(found.values()).count("fp16") == 5


def test_weights_outside_the_file(small_graph: GraphMaker, tmp_path: Path):
    path = tmp_path / "split.onnx"
    onnx.save(small_graph(), path, save_as_external_data=True, size_threshold=1024)
    found = readiness.check(readiness.read(path))
    assert any(p.startswith("weights in a second file: ") for p in found.problems)


def test_asymmetric_quantisation_is_named(small_graph: GraphMaker):
    model = small_graph()
    for name, array in (("s", np.float16(0.1)), ("z", np.int8(3))):
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
    model.graph.node.append(helper.make_node("QuantizeLinear", ["bent", "s", "z"], ["q"], "uneven"))
    assert readiness.check(model).problems == (
        "zero points other than 0 (TensorRT is symmetric): uneven",
    )


def test_files_that_are_not_onnx(tmp_path: Path):
    with pytest.raises(UserError, match=r"gone\.onnx.*`amesh export onnx`"):
        readiness.read(tmp_path / "gone.onnx")
    path = tmp_path / "text.onnx"
    for content in (b"", b"hello, this is text"):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"text\.onnx: not an ONNX file"):
            readiness.read(path)


def test_require_lists_the_problems(small_graph: GraphMaker, tmp_path: Path):
    model = small_graph()
    model.opset_import[0].version = 17
    with pytest.raises(UserError, match=r"a\.onnx: .*opset 17, expected 18 to 24"):
        readiness.require(model, tmp_path / "a.onnx")
