"""An engine goes the way of the other formats: one export, one sidecar."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest

from amesh.deploy import cache, formats, sidecar
from amesh.deploy.export import export
from amesh.deploy.tensorrt import artefact, library
from amesh.deploy.tensorrt import export as engines
from amesh.deploy.tensorrt.runner import TensorRTRunner
from amesh.errors import UserError
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.config import MeshConfig
from amesh.runner import TorchRunner
from amesh.weights import hashes, store

NET = AttentionMesh(MeshConfig(name="small", input_size=64, crop_size=8)).eval()


@pytest.fixture
def off_by(
    tensorrt: ModuleType,
    small_graph: Callable[[], onnx.ModelProto],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[float], None]:
    """Sets how far engines are off [px]; building one takes no GPU."""
    error = [0.0]

    class Runner(TensorRTRunner):
        def __init__(self, *_: object) -> None:
            pass

        def run_any(self, crops: np.ndarray) -> dict[str, np.ndarray]:
            found = TorchRunner(NET)(crops)
            landmarks = found.landmarks + np.float32(error[0] / np.sqrt(3))
            return {"landmarks": landmarks, "face_flag": found.face_flag}

    monkeypatch.setattr(engines, "TensorRTRunner", Runner)
    monkeypatch.setattr(library, "gpu", lambda *_: library.Gpu("Test GPU 9000", "9.0"))
    content = small_graph().SerializeToString()
    monkeypatch.setattr(artefact, "export_onnx", lambda *_, **__: content)
    return lambda px: error.__setitem__(0, px)


def test_an_engine_is_compared_with_pytorch_and_described(
    off_by: Callable[[float], None], tmp_path: Path
):
    off_by(0.02)
    said: list[str] = []
    path = export(NET, "tensorrt", tmp_path / "net.engine", "fp16", say=said.append)
    assert path.read_bytes() == b"plan"
    about = sidecar.read(path)
    assert (about.kind, about.model, about.architecture) == ("tensorrt", "small", "AttentionMesh")
    assert about.weights_sha256 == hashes.weights_hash(NET)
    assert about.parity["all"]["max"] == pytest.approx(0.02, abs=1e-3)
    assert about.details["gpu"] == {"name": "Test GPU 9000", "capability": "9.0"}
    # The details are keys among the others, as the engine's runner reads them.
    written = json.loads(sidecar.sidecar_file(path).read_bytes())
    assert written["tensorrt"] == "10.13.3.9"
    # It works in the folder of the engine, beside which the graph is kept.
    assert "--onnx=net.engine.onnx --saveEngine=net.engine " in written["trtexec"]
    graph = (tmp_path / "net.engine.onnx").read_bytes()
    assert written["onnx"] == {"file": "net.engine.onnx", "sha256": sidecar.sha256(graph)}
    assert onnx.load_from_string(graph).graph.name == "small"
    engines.open_engine(path)


def test_the_options_of_a_build(
    off_by: Callable[[float], None], tensorrt: ModuleType, tmp_path: Path
):
    path = tmp_path / "net.engine"
    options = {"hardware": "capability", "timing_cache": tmp_path / "timings"}
    export(NET, "tensorrt", path, "fp16", (1, 2, 4), say=lambda _: None, options=options)
    about = sidecar.read(path).details
    assert (about["profiles"], about["hardware"]) == ([[1, 2, 4], [1, 1, 1]], "capability")
    assert len(list((tmp_path / "timings").glob("*.timing"))) == 1
    with pytest.raises(UserError, match="onnx has no option --hardware"):
        export(NET, "onnx", tmp_path / "net.onnx", options=options)
    with pytest.raises(UserError, match="onnx has no range of batches"):
        export(NET, "onnx", tmp_path / "net.onnx", batch=(1, 2, 4))


def test_two_processes_do_not_build_the_same_engine(
    off_by: Callable[[float], None], tmp_path: Path
):
    path = tmp_path / "net.engine"
    with (
        engines.building(path),
        pytest.raises(UserError, match=r"net\.engine: another process is building it"),
    ):
        export(NET, "tensorrt", path, "fp16", say=lambda _: None)


def test_an_engine_that_is_off_leaves_no_file(off_by: Callable[[float], None], tmp_path: Path):
    off_by(0.6)
    with pytest.raises(UserError, match=r"net\.engine: differs from PyTorch"):
        export(NET, "tensorrt", tmp_path / "net.engine", "fp16", say=lambda _: None)
    assert [path.name for path in tmp_path.iterdir()] == [".net.engine.lock"]


def test_an_engine_in_the_cache_is_held_to_its_weights(
    off_by: Callable[[float], None], empty_cache: Path
):
    row = formats.format_named("tensorrt")
    store.save(NET, store.weights_folder() / "mine.safetensors", {})
    export("mine", "tensorrt", cache.exported("mine", row), "fp16", say=lambda _: None)
    assert cache.current("mine", row) == empty_cache / "tensorrt" / "mine.engine"
    other = AttentionMesh(NET.config)
    store.save(other, store.weights_folder() / "mine.safetensors", {})
    with pytest.raises(UserError, match="made from other weights"):
        cache.current("mine", row)
