from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from amesh.deploy.litert.export import export_litert
from amesh.deploy.litert.flatbuffer import Value
from amesh.deploy.litert.operators import OperatorGraph
from amesh.deploy.litert.slopes import repeat_slopes
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.config import NAMED
from amesh.weights import tflite_file

SLOPES = np.array([0.1, 0.2, 0.3, 0.4], np.float32)


def written(add: Callable[[OperatorGraph, Value], Value], width: int = 6) -> bytes:
    graph = OperatorGraph()
    image = graph.input("image", (1, 3, width, 4))
    return graph.to_bytes({"out": add(graph, image)}, "test", {})


def slopes_in(content: bytes) -> list[np.ndarray]:
    return [op.constants[0] for op in tflite_file.read(content).named("PRELU")]


def trained() -> AttentionMesh:
    """A network whose slopes differ, as training makes them; equal ones share a constant."""
    torch.manual_seed(0)
    net = AttentionMesh(NAMED["tiny-128"]).eval()
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, torch.nn.PReLU):
                module.weight.uniform_(0, 0.5)
    return net


def test_slopes_are_repeated_for_each_pixel_of_a_row():
    changed = repeat_slopes(written(lambda graph, x: graph.prelu(x, SLOPES)))
    [slopes] = slopes_in(changed)
    np.testing.assert_array_equal(slopes, np.tile(SLOPES, (1, 6, 1)))


def test_everything_else_in_the_file_stays():
    content = export_litert(trained(), verify=False)
    before, after = tflite_file.read(content), tflite_file.read(repeat_slopes(content))
    names = [op.name for op in before.operators]
    assert [op.name for op in after.operators] == names
    assert (after.inputs, after.outputs) == (before.inputs, before.outputs)
    widened = 0
    for old, new in zip(before.operators, after.operators, strict=True):
        assert (old.inputs, old.outputs) == (new.inputs, new.outputs)
        if old.name == "PRELU":
            width = before.shapes[old.inputs[0]][2]
            np.testing.assert_array_equal(new.constants[0], np.tile(old.constants[0], (width, 1)))
            widened += width > 1
        else:
            for a, b in zip(old.constants, new.constants, strict=True):
                np.testing.assert_array_equal(a, b)
    assert widened > 20


def two_widths(graph: OperatorGraph, x: Value) -> Value:
    return graph.prelu(graph.slice(graph.prelu(x, SLOPES), 2, 0, 5), SLOPES)


def another_use(graph: OperatorGraph, x: Value) -> Value:
    return graph.add(graph.prelu(x, SLOPES), graph.constant(SLOPES.reshape(1, 1, -1)))


def no_map(graph: OperatorGraph, x: Value) -> Value:
    return graph.prelu(graph.reshape(x, (1, 18, 4)), SLOPES)


@pytest.mark.parametrize("add", [two_widths, another_use, no_map])
def test_slopes_that_fit_no_single_row_stay(add: Callable[[OperatorGraph, Value], Value]):
    content = written(add)
    assert repeat_slopes(content) == content


def test_long_rows_stay():
    content = written(lambda graph, x: graph.prelu(x, SLOPES), width=5000)
    assert repeat_slopes(content) == content


@pytest.mark.parametrize("content", [b"", b"no model", bytes(100)])
def test_what_is_no_model_is_left_to_litert(content: bytes):
    assert repeat_slopes(content) == content


def test_a_file_cut_short_is_left_to_litert():
    content = written(lambda graph, x: graph.prelu(x, SLOPES))
    for size in range(0, len(content), 7):
        assert len(repeat_slopes(content[:size])) >= size


def outcome(content: bytes) -> tuple[list[np.ndarray], list[str]]:
    """What LiteRT computes, and the operators that it keeps from XNNPACK."""
    package: Any = pytest.importorskip("ai_edge_litert.interpreter")
    interpreter = package.Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    [given] = interpreter.get_input_details()
    image = np.random.default_rng(0).random(tuple(given["shape"]), np.float32)
    interpreter.set_tensor(given["index"], image)
    interpreter.invoke()
    found = [interpreter.get_tensor(one["index"]) for one in interpreter.get_output_details()]
    kinds = [str(one["op_name"]) for one in interpreter._get_ops_details()]
    return found, kinds


def test_the_results_stay_bit_for_bit():
    content = export_litert(trained(), verify=False)
    changed = repeat_slopes(content)
    assert changed != content
    for one, other in zip(outcome(content)[0], outcome(changed)[0], strict=True):
        np.testing.assert_array_equal(one, other)


def test_xnnpack_still_takes_every_prelu():
    """Otherwise it would split the graph at each, which costs more than is gained."""
    content = export_litert(trained(), verify=False)
    runs = [outcome(one)[1].count("DELEGATE") for one in (content, repeat_slopes(content))]
    assert runs[0] == runs[1] > 0
