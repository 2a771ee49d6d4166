"""The writer of TFLite files, read back with the schema's own decoder."""

import numpy as np
import pytest
import tflite

from amesh.deploy.litert.flatbuffer import SIGNATURE_KEY, read_metadata
from amesh.deploy.litert.operators import OperatorGraph
from amesh.weights import tflite_file


def small(half: bool = False) -> bytes:
    """image (1 4 4 2) -> twice a convolution of it."""
    graph = OperatorGraph(half)
    image = graph.input("image", (1, 4, 4, 2))
    kernel = np.arange(3 * 2, dtype=np.float32).reshape(3, 1, 1, 2)
    with graph.scope("stem"):
        x = graph.convolution(image, kernel, np.array([1, 2, 3], np.float32))
    return graph.to_bytes({"twice": graph.add(x, x)}, "a test", {"amesh": b"{}"})


def test_operators_and_constants_read_back():
    file = tflite_file.read(small())
    assert [op.name for op in file.operators] == ["CONV_2D", "ADD"]
    kernel, bias = file.operators[0].constants
    assert kernel.reshape(-1).tolist() == [0, 1, 2, 3, 4, 5]
    assert bias.tolist() == [1, 2, 3]
    assert file.shapes[file.outputs[0]] == (1, 4, 4, 3)


def test_names_signature_and_description():
    model = tflite.Model.GetRootAsModel(small(), 0)
    graph, signature = model.Subgraphs(0), model.SignatureDefs(0)
    assert graph.Tensors(signature.Inputs(0).TensorIndex()).Name() == b"image"
    assert graph.Tensors(signature.Outputs(0).TensorIndex()).Name() == b"twice"
    assert signature.Outputs(0).Name() == b"twice"
    assert signature.SignatureKey().decode() == SIGNATURE_KEY
    assert model.Description() == b"a test"
    names = [graph.Tensors(i).Name().decode() for i in range(graph.TensorsLength())]
    assert "stem/conv_2d" in names
    assert len(names) == len(set(names))


def test_constants_are_aligned():
    content = small()
    model = tflite.Model.GetRootAsModel(content, 0)
    for i in range(1, model.BuffersLength()):
        data = model.Buffers(i).DataAsNumpy()
        whole = np.frombuffer(content, np.uint8)
        assert (data.ctypes.data - whole.ctypes.data) % 16 == 0


def test_equal_constants_are_stored_once():
    graph = OperatorGraph()
    first = graph.constant(np.zeros(3, np.float32))
    assert graph.constant(np.zeros(3, np.float32)) is first
    assert graph.constant(np.zeros(3, np.int32)) is not first
    assert graph.constant(np.zeros((3, 1), np.float32)) is not first


def test_the_same_graph_gives_the_same_bytes():
    assert small() == small()


def test_half_precision_stores_kernels_in_half_and_the_rest_in_single():
    model = tflite.Model.GetRootAsModel(small(half=True), 0)
    graph = model.Subgraphs(0)
    types = {graph.Tensors(i).Name(): graph.Tensors(i).Type() for i in range(graph.TensorsLength())}
    assert types[b"stem/kernel_fp16"] == tflite.TensorType.FLOAT16
    assert types[b"stem/bias"] == tflite.TensorType.FLOAT32
    # Conversion of a constant is an operator, which runtimes run once, when they load.
    code = model.OperatorCodes(graph.Operators(0).OpcodeIndex())
    assert (code.BuiltinCode(), code.Version()) == (tflite.BuiltinOperator.DEQUANTIZE, 3)


def test_metadata():
    assert read_metadata(small(), "amesh") == b"{}"
    assert read_metadata(small(), "other") == b""
    assert read_metadata(b"not a model", "amesh") == b""


def test_grouped_convolution_has_the_version_that_knows_groups():
    graph = OperatorGraph()
    x = graph.input("image", (1, 4, 4, 8))
    y = graph.convolution(x, np.zeros((8, 1, 1, 4), np.float32), np.zeros(8, np.float32))
    model = tflite.Model.GetRootAsModel(graph.to_bytes({"y": y}, ""), 0)
    assert model.OperatorCodes(0).Version() == 6


@pytest.mark.parametrize(
    ("stride", "valid", "expected"),
    [(1, False, (1, 6, 6, 5)), (2, False, (1, 3, 3, 5)), (1, True, (1, 4, 4, 5))],
)
def test_shape_of_a_convolution(stride: int, valid: bool, expected: tuple[int, ...]):
    graph = OperatorGraph()
    x = graph.input("image", (1, 6, 6, 2))
    kernel, bias = np.zeros((5, 3, 3, 2), np.float32), np.zeros(5, np.float32)
    assert graph.convolution(x, kernel, bias, stride, valid).shape == expected


def test_what_changes_nothing_adds_no_operator():
    graph = OperatorGraph()
    x = graph.input("image", (1, 6, 6, 2))
    assert graph.slice(x, 1, 0, 6) is x
    assert graph.reshape(x, (1, 6, 6, 2)) is x
    assert graph.concatenate([x], 1) is x


def test_a_reshape_keeps_the_number_of_values():
    graph = OperatorGraph()
    x = graph.input("image", (1, 6))
    with pytest.raises(ValueError, match=r"\(1, 6\) does not reshape to \(1, 7\)"):
        graph.reshape(x, (1, 7))
