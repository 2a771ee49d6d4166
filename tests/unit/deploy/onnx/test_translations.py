"""Exported files survive the tools that people run on ONNX files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto
from own_interpreter import run_apart
from packaging.version import Version

from amesh.deploy.formats import format_named
from amesh.deploy.onnx import export as onnx_file
from amesh.deploy.onnx.opsets import OPSET, set_opset

pytestmark = pytest.mark.slow  # two exports of some seconds, in one interpreter

# A face mesh that predicts its errors, and the detector with the more kinds of operators.
CODE = """
import sys
from pathlib import Path
import torch
import small_networks
from amesh.blazeface.config import FULL
from amesh.blazeface.network import build_detector
from amesh.deploy.onnx.detector import export_detector
from amesh.deploy.onnx.export import export_onnx
mesh = small_networks.networks()["released"]
folder = Path(sys.argv[1])
(folder / "mesh.onnx").write_bytes(export_onnx(mesh, verify=False))
torch.manual_seed(0)
(folder / "detector.onnx").write_bytes(export_detector(build_detector(FULL), verify=False))
"""
FILES = ("mesh", "detector")
Tool = Callable[[onnx.ModelProto, Path], onnx.ModelProto]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tools")
    run_apart(CODE, folder)
    return folder


def older_than(version: str) -> bool:
    return Version(onnxruntime.__version__) < Version(version)


def check(model: onnx.ModelProto, _: Path) -> onnx.ModelProto:
    onnx.checker.check_model(model, full_check=True)
    return model


def infer(model: onnx.ModelProto, _: Path) -> onnx.ModelProto:
    return onnx.shape_inference.infer_shapes(
        model, check_type=True, strict_mode=True, data_prop=True
    )


def infer_symbolically(model: onnx.ModelProto, _: Path) -> onnx.ModelProto:
    from onnxruntime.tools.symbolic_shape_infer import SymbolicShapeInference

    found = SymbolicShapeInference.infer_shapes(model)
    known = {value.name for value in (*found.graph.value_info, *found.graph.output)}
    assert {name for node in found.graph.node for name in node.output} <= known
    return found


def prepare_to_quantise(model: onnx.ModelProto, folder: Path) -> onnx.ModelProto:
    from onnxruntime.quantization.shape_inference import quant_pre_process

    quant_pre_process(model, folder / "ready.onnx")
    return onnx.load(folder / "ready.onnx")


def onnxsim(model: onnx.ModelProto, _: Path) -> onnx.ModelProto:
    import onnxsim

    simplified, agrees = onnxsim.simplify(model)
    assert agrees
    return simplified


def onnxslim(model: onnx.ModelProto, _: Path) -> onnx.ModelProto:
    import onnxslim

    return onnxslim.slim(model)


def optimise(model: onnx.ModelProto, folder: Path) -> onnx.ModelProto:
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "fast.onnx")
    options.log_severity_level = 3  # that the file is for this machine only
    onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return onnx.load(folder / "fast.onnx")


TOOLS = (check, infer, infer_symbolically, prepare_to_quantise, onnxsim, onnxslim, optimise)


def run(model: onnx.ModelProto, images: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"image": images})


def pictures(model: onnx.ModelProto, count: int) -> np.ndarray:
    size = model.graph.input[0].type.tensor_type.shape.dim[2].dim_value
    return np.random.default_rng(0).random((count, 3, size, size), np.float32)


def assert_alike(found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)  # px, as parity asks; and logits


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.__name__)
@pytest.mark.parametrize("file", FILES)
def test_a_tool_changes_no_answer(exported: Path, tmp_path: Path, file: str, tool: Tool):
    if tool in (infer_symbolically, prepare_to_quantise) and older_than("1.31"):
        pytest.skip("the symbolic inference of this ONNX Runtime knows too little")
    model = onnx.load(exported / f"{file}.onnx")
    images = pictures(model, 2)
    expected = run(model, images)
    assert_alike(run(tool(model, tmp_path), images), expected)


@pytest.mark.parametrize("opset", format_named("onnx").opsets)
@pytest.mark.parametrize("file", FILES)
def test_every_opset_gives_the_same_answers(exported: Path, file: str, opset: int):
    if opset > 21 and older_than("1.23.2"):
        pytest.skip("this ONNX Runtime is older than the opset")
    model = onnx.load(exported / f"{file}.onnx")
    images = pictures(model, 2)
    expected = run(model, images)
    content = onnx_file.finish(model, {}, opset=opset)
    model = onnx.load_from_string(content)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", opset)]
    for found, wanted in zip(run(model, images), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_operators_mean_the_same_in_every_opset():
    """Later versions may add kinds of numbers and optional attributes, and nothing else."""
    opsets = format_named("onnx").opsets
    for name in onnx_file.ALLOWED_OPERATORS:
        for older, newer in ((opsets[0], OPSET), (OPSET, opsets[-1])):
            first, second = (onnx.defs.get_schema(name, version) for version in (older, newer))
            for part in ("inputs", "outputs"):
                before, after = ([v.name for v in getattr(s, part)] for s in (first, second))
                assert after[: len(before)] == before, name
            assert set(first.attributes) <= set(second.attributes), name
            added = set(second.attributes) - set(first.attributes)
            assert not any(second.attributes[attribute].required for attribute in added), name


def test_an_opset_changes_nothing_but_the_number(small_graph: Callable[..., onnx.ModelProto]):
    model = small_graph()
    nodes = [node.SerializeToString() for node in model.graph.node]
    set_opset(model, 23)
    assert [node.SerializeToString() for node in model.graph.node] == nodes
    assert (model.opset_import[0].version, model.ir_version) == (23, 11)
    onnx.checker.check_model(model, full_check=True)


@pytest.mark.parametrize(
    ("file", "count"), [*((f, n) for f in FILES for n in (0, 1, 3)), ("mesh", 1000)]
)
def test_any_number_of_faces(exported: Path, file: str, count: int):
    if not count and older_than("1.32"):
        pytest.skip("this ONNX Runtime cannot reshape a batch of no faces")
    model = onnx.load(exported / f"{file}.onnx")
    images = pictures(model, count)
    found = run(model, images)
    for tensor, value in zip(found, model.graph.output, strict=True):
        shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim[1:]]
        assert tensor.shape == (count, *shape)
    if count:  # the last face knows nothing of the others
        assert_alike([tensor[-1:] for tensor in found], run(model, images[-1:]))


def test_a_thousand_pictures_fit_a_detector(exported: Path):
    """By its shapes: a run would take seconds and 5 GB."""
    model = onnx.load(exported / "detector.onnx")
    for value in (*model.graph.input, *model.graph.output):
        first = value.type.tensor_type.shape.dim[0]
        assert first.dim_param == "batch"
        first.dim_value = 1000
    infer(model, exported)  # strict: fails where a shape contradicts another
    inner = onnx.shape_inference.infer_shapes(model, data_prop=True).graph.value_info
    shapes = [value.type.tensor_type.shape.dim for value in inner]
    maps = [shape for shape in shapes if len(shape) == 4]
    assert len(maps) > 50
    assert {shape[0].dim_value for shape in maps} == {1000}


def test_a_file_says_what_goes_in_and_comes_out(exported: Path):
    model = onnx.load(exported / "mesh.onnx")
    about = onnx_file.about(model)
    assert (about["layout"], about["normalisation"]) == ("nchw", "RGB / 255, in [0, 1]")
    texts = {value.name: value.doc_string for value in (*model.graph.input, *model.graph.output)}
    assert texts == {
        "image": "pictures, RGB / 255, in [0, 1]",
        "landmarks": "x, y and z of each landmark [px of the crop]",
        "face_flag": "whether there is a face: a logit, above 0 for a face",
        "expected_error": "expected distance of each landmark from its true place, in x and y [px]",
    }
    detector = onnx.load(exported / "detector.onnx")
    assert onnx_file.about(detector)["layout"] == "nchw"
    assert all(value.doc_string for value in (*detector.graph.input, *detector.graph.output))
    kinds = {value.type.tensor_type.elem_type for value in model.graph.output}
    assert kinds == {TensorProto.FLOAT}
