import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import onnx
import pytest

from amesh.deploy.tensorrt import export as engines
from amesh.deploy.tensorrt.plan import BuildOptions
from amesh.deploy.tensorrt.sidecar import read_sidecar
from amesh.deploy.tensorrt.triton import config, write_model
from amesh.errors import UserError

GraphMaker = Callable[..., onnx.ModelProto]


@pytest.fixture
def engine(tensorrt: ModuleType, small_graph: GraphMaker, tmp_path: Path) -> Path:
    model, path = tmp_path / "small.onnx", tmp_path / "small-fp16.engine"
    onnx.save(small_graph(), model)
    engines.build(model, path, engines.Origin("small"))
    return path


def test_a_triton_model(engine: Path, tmp_path: Path):
    folder = write_model(engine, tmp_path / "models", instances=2, queue_delay=300)
    assert folder == tmp_path / "models" / "small-fp16"
    assert (folder / "1" / "model.plan").read_bytes() == b"plan"
    assert read_sidecar(folder / "1" / "model.plan")["model"] == "small"
    text = (folder / "config.pbtxt").read_text()
    for line in (
        'name: "small-fp16"',
        'platform: "tensorrt_plan"',
        "max_batch_size: 64",
        'input [ { name: "image" data_type: TYPE_FP32 dims: [ 3, 64, 64 ] } ]',
        'output [ { name: "landmarks" data_type: TYPE_FP32 dims: [ 478, 3 ] } ]',
        'output [ { name: "face_flag" data_type: TYPE_FP32 dims: [ 1 ] reshape: { shape: [ ] } } ]',
        '  { count: 2 kind: KIND_GPU profile: [ "0", "1" ] }',
        "  preferred_batch_size: [ 8, 64 ]",
        "  max_queue_delay_microseconds: 300",
        "    graphs: true",
    ):
        assert line in text.splitlines()
    assert text.count("zero_data: true") == 7
    # Every batch from 1 to 64 has a graph.
    bounds = re.findall(
        r"graph_spec { batch_size: (\d+) .*?(?:bound { batch_size: (\d+)|$)", text, re.M
    )
    assert [(int(low or high), int(high)) for high, low in bounds] == [
        *((1, 1), (2, 2), (3, 4), (5, 8), (9, 16), (17, 32), (33, 64)),
    ]
    assert text.count("{") == text.count("}")


def test_a_fixed_batch_has_its_axis_in_the_config(
    tensorrt: ModuleType, small_graph: GraphMaker, tmp_path: Path
):
    model, path = tmp_path / "small.onnx", tmp_path / "two.engine"
    onnx.save(small_graph(batch=2), model)
    sidecar = engines.build(model, path, engines.Origin("small"))
    text = config(sidecar, "two", 1, 500)
    assert "max_batch_size: 0" in text
    assert 'name: "face_flag" data_type: TYPE_FP32 dims: [ 2 ] }' in text
    assert "dims: [ 2, 3, 64, 64 ]" in text
    assert "dynamic_batching" not in text


def test_what_triton_cannot_serve(
    tensorrt: ModuleType, engine: Path, small_graph: GraphMaker, tmp_path: Path
):
    with pytest.raises(UserError, match="model name 'a/b': only letters"):
        write_model(engine, tmp_path, "a/b")
    model, path = tmp_path / "small.onnx", tmp_path / "thin.engine"
    engines.build(model, path, engines.Origin("small"), BuildOptions(strip_weights=True))
    with pytest.raises(UserError, match=r"thin\.engine: stripped.*Triton"):
        write_model(path, tmp_path)
