"""What the tests of deployment share: a graph of our kind in small, and a TensorRT to talk to."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

GraphMaker = Callable[..., onnx.ModelProto]


@pytest.fixture
def small_graph() -> GraphMaker:
    """A network with a stem, two blocks and a head, named as our modules are."""
    return make_small_graph


@pytest.fixture
def tensorrt(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The stand-in for TensorRT, importable as `tensorrt`, on a GPU that is none."""
    from amesh.deploy.tensorrt import export as entry
    from amesh.deploy.tensorrt import library, plan
    from amesh.deploy.tensorrt.runner import TensorRTRunner

    class Idle(TensorRTRunner):
        def __init__(self, *_: object) -> None:
            pass

    spec = importlib.util.spec_from_file_location(
        "fake_tensorrt", Path(__file__).with_name("fake_tensorrt.py")
    )
    assert spec is not None
    assert spec.loader is not None
    fake = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fake)
    fake.reset()
    monkeypatch.setitem(sys.modules, "tensorrt", fake)
    for module in (entry, plan):
        monkeypatch.setattr(module, "gpu", lambda *_: library.Gpu("Test GPU 9000", "9.0"))
    # What runs on a GPU only; test_tensorrt_runner.py has a runner without one.
    monkeypatch.setattr(entry, "TensorRTRunner", Idle)
    monkeypatch.setattr(entry, "against_onnx", lambda *_: lambda _run: {"max": 0.0})
    return fake


def make_small_graph(
    half: bool = True, batch: int | None = None, size: int = 64
) -> onnx.ModelProto:
    """image -> landmarks, face_flag; convolutions of 3, 128 and 160 channels, a head of 32."""
    rng = np.random.default_rng(0)
    weights: list[onnx.TensorProto] = []
    nodes: list[onnx.NodeProto] = []
    trunk = np.float16 if half else np.float32

    def weight(name: str, *shape: int, kind: type = trunk) -> str:
        values = rng.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape).astype(kind)
        weights.append(numpy_helper.from_array(values, name))
        return name

    def conv(x: str, name: str, *shape: int, kind: type = trunk, **attributes: object) -> str:
        nodes.append(
            helper.make_node(
                *("Conv", [x, weight(f"{name}.weight", *shape, kind=kind)], [name], name),
                kernel_shape=shape[2:],
                **attributes,
            )
        )
        return name

    def op(kind: str, inputs: list[str], output: str, **attributes: object) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], output, **attributes))
        return output

    x = op("Cast", ["image"], "start", to=TensorProto.FLOAT16 if half else TensorProto.FLOAT)
    x = conv(x, "stem.convolution", 128, 3, 3, 3, strides=[2, 2], pads=[0, 0, 1, 1])
    x = op("PRelu", [x, weight("stem.activation", 128, 1, 1)], "bent")
    x = conv(x, "blocks.0.depthwise", 128, 1, 3, 3, group=128, pads=[1, 1, 1, 1])
    x = conv(x, "blocks.0.pointwise", 160, 128, 1, 1)
    x = op("Relu", [x], "cut")
    x = conv(x, "blocks.1.pointwise", 32, 160, 1, 1)
    kernel = size // 4
    x = op("MaxPool", [x], "pooled", kernel_shape=[kernel, kernel], strides=[kernel, kernel])
    x = conv(x, "head.reduce", 32, 32, 1, 1)
    x = op("Cast", [x], "precise", to=TensorProto.FLOAT)
    points = conv(x, "head.points", 1434, 32, 2, 2, kind=np.float32)
    flag = conv(x, "face_flag.last", 1, 32, 2, 2, kind=np.float32)
    for name, shape in (("rows", [-1, 478, 3]), ("one", [-1])):
        weights.append(numpy_helper.from_array(np.array(shape), name))
    op("Reshape", [points, "rows"], "landmarks")
    op("Reshape", [flag, "one"], "face_flag")
    first: int | str = "batch" if batch is None else batch
    values = {"image": [first, 3, size, size], "landmarks": [first, 478, 3], "face_flag": [first]}
    image, *outputs = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in values.items()
    )
    graph = helper.make_graph(nodes, "small", [image], outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return model
