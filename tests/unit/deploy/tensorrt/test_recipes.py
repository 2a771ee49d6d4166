import argparse
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import onnx
import pytest

from amesh.deploy.tensorrt import export as engines
from amesh.deploy.tensorrt.library import Gpu
from amesh.deploy.tensorrt.plan import BuildOptions
from amesh.deploy.tensorrt.sidecar import read_sidecar
from amesh.deploy.tensorrt.triton import config, write_model
from amesh.errors import UserError

GraphMaker = Callable[..., onnx.ModelProto]
ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = ROOT / "deploy" / "trt" / "build.py"
    spec = importlib.util.spec_from_file_location("trt_build_script", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
    assert text.count("zero_data: true") == 3
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


def test_the_matrix_lists_its_jobs(script: ModuleType, capsys: pytest.CaptureFixture[str]):
    assert script.main(["--list"]) == 0
    jobs = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(jobs) == 7
    assert {job["install"].partition("==")[0] for job in jobs} == {"tensorrt-cu12", "tensorrt-cu13"}
    assert all("released-192-fp16" in job["engines"] for job in jobs)


def test_a_machine_that_is_not_in_the_matrix(script: ModuleType):
    matrix = script.read_matrix(script.MATRIX)
    with pytest.raises(UserError, match=r"Test GPU .*\(NVIDIA A10G, "):
        list(script.fitting(matrix, "11.4.0.106", Gpu("Test GPU", "9.0")))
    card = Gpu("NVIDIA L4", "8.9")
    with pytest.raises(UserError, match=r"10\.12\.0.*tensorrt-cu12=="):
        list(script.fitting(matrix, "10.12.0", card))
    assert len(list(script.fitting(matrix, "10.13.3.9", card))) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[engine]\n", "cannot be read"),
        ("[[machine]]\n", "machine lacks capability, gpu, tensorrt"),
        ("[[engine]]\nmodle = 'a'\n", "engine has unknown keys: modle"),
        ("", "needs at least one"),
    ],
)
def test_a_wrong_matrix(script: ModuleType, tmp_path: Path, text: str, message: str):
    path = tmp_path / "m.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        script.read_matrix(path)


def test_the_script_builds_and_serves(
    script: ModuleType, tensorrt: ModuleType, small_graph: GraphMaker, tmp_path: Path
):
    options = script.parser().parse_args(
        [
            f"--onnx={tmp_path}",
            f"--output={tmp_path}",
            f"--cache={tmp_path}",
            f"--triton={tmp_path}",
        ]
    )
    assert isinstance(options, argparse.Namespace)
    engine = {"model": "small", "precision": "fp16", "batches": [1, 2, 4], "hardware": "capability"}
    device = Gpu("Test GPU 9000", "9.0")
    with pytest.raises(UserError, match=r"small-fp16\.onnx.*`amesh export onnx"):
        script.build(engine, options, "10.13.3.9", device)
    onnx.save(small_graph(), tmp_path / "small-fp16.onnx")
    sidecar = script.build(engine, options, "10.13.3.9", device)
    assert sidecar["profiles"] == [[1, 2, 4], [1, 1, 1]]
    assert sidecar["hardware"] == "capability"
    assert (tmp_path / "9.0" / "10.13.3.9" / "small-fp16.engine").is_file()
    assert (tmp_path / "10.13.3.9" / "small-fp16" / "config.pbtxt").is_file()
