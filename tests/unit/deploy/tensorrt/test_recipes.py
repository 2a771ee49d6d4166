"""The recipes in deploy/trt, outside of the package."""

import argparse
import importlib.util
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest

from amesh.deploy.tensorrt.library import Gpu
from amesh.errors import UserError
from amesh.runner import Runner

GraphMaker = Callable[..., onnx.ModelProto]


ROOT = Path(__file__).resolve().parents[4]


def recipe(name: str, folder: Path = ROOT / "deploy" / "trt") -> ModuleType:
    path = folder / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"trt_{name}_script", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return recipe("build")


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
            f"--timing-cache={tmp_path}",
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
    options.batch, options.hardware = "2:4:8", "ampere"
    sidecar = script.build(engine, options, "10.13.3.9", device)
    assert sidecar["profiles"] == [[2, 4, 8], [1, 1, 1]]
    assert sidecar["hardware"] == "ampere"
    options.batch = "2:4"
    with pytest.raises(UserError, match=r"--batch 2:4: expected MIN:OPT:MAX"):
        script.build(engine, options, "10.13.3.9", device)
    assert (tmp_path / "9.0" / "10.13.3.9" / "small-fp16.engine").is_file()
    assert (tmp_path / "10.13.3.9" / "small-fp16" / "config.pbtxt").is_file()


def test_the_script_takes_the_outputs_from_the_file(
    script: ModuleType, small_graph: GraphMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    seen: list[Any] = []

    def artefact(_content: bytes, _model: Path, _engine: Path, origin: Any, _options: Any) -> None:
        seen.append(origin)
        raise UserError("no GPU")

    monkeypatch.setattr(script.export, "engine_artefact", artefact)
    model = small_graph()
    errors = onnx.helper.make_tensor_value_info("expected_error", 1, ["b", 478])
    model.graph.output.append(errors)
    onnx.save(model, tmp_path / "small-fp16.onnx")
    options = script.parser().parse_args([f"--onnx={tmp_path}", f"--output={tmp_path}"])
    engine = {"model": "small", "precision": "fp16", "batches": [1, 2, 4]}
    with pytest.raises(UserError, match="no GPU"):
        script.build(engine, options, "10.13.3.9", Gpu("Test GPU 9000", "9.0"))
    assert seen[0].outputs == ("landmarks", "face_flag", "expected_error")


def test_the_container_copies_what_exists():
    lines = (ROOT / "deploy" / "trt" / "Containerfile").read_text().splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY")]
    assert copied
    assert all((ROOT / name).exists() for names in copied for name in names)
    command = next(json.loads(line[4:]) for line in lines if line.startswith("CMD"))
    assert (ROOT / command[1]).is_file()
    assert recipe("build").parser().parse_args(command[2:]).export


class Server:
    """Stands in for Triton: answers each crop with its mean colour."""

    def __init__(self, kind: str = "FP32") -> None:
        self.kind = kind

    def get_model_metadata(self, name: str) -> dict[str, Any]:
        outputs = [("landmarks", [-1, 478, 3]), ("face_flag", [-1, 1])]
        return {
            "inputs": [{"name": "image", "shape": [-1, 3, 64, 64], "datatype": self.kind}],
            "outputs": [{"name": name, "shape": shape} for name, shape in outputs],
        }

    def infer(self, name: str, inputs: list[Any], outputs: list[str]) -> SimpleNamespace:
        (image,) = inputs
        mean = image.pixels.mean((1, 2, 3))
        found = {
            "landmarks": np.tile(mean[:, None, None], (1, 478, 3)),
            "face_flag": mean[:, None],
        }
        return SimpleNamespace(as_numpy=found.get)


class Input:
    def __init__(self, name: str, shape: list[int], kind: str) -> None:
        self.name, self.shape, self.kind = name, shape, kind

    def set_data_from_numpy(self, pixels: np.ndarray) -> None:
        assert (list(pixels.shape), self.kind) == (self.shape, "FP32")
        self.pixels = pixels


def test_the_client_is_a_runner():
    http = SimpleNamespace(InferInput=Input, InferRequestedOutput=str)
    runner = recipe("triton_client").TritonRunner(Server(), http, "face")
    assert isinstance(runner, Runner)
    crops = np.random.default_rng(0).random((3, 64, 64, 3), np.float32)
    found = runner(crops)
    np.testing.assert_allclose(found.landmarks[:, 7, 1], crops.mean((1, 2, 3)), rtol=1e-5)
    assert found.face_flag.shape == (3,)
    assert found.expected_error is None


def test_the_client_refuses_an_engine_that_takes_bytes():
    with pytest.raises(UserError, match="face: takes bytes"):
        recipe("triton_client").TritonRunner(Server("UINT8"), SimpleNamespace(), "face")


def test_the_client_without_its_package(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "tritonclient", None)
    assert recipe("triton_client").main(["--model", "face", "photo.jpg"]) == 2
    assert "pip install 'tritonclient[http]'" in capsys.readouterr().err


def test_ten_minutes_on_a_gpu_go_on_after_a_failure(capsys: pytest.CaptureFixture[str]):
    script = recipe("ten_minutes", ROOT / "tests" / "gpu")

    def fail() -> dict[str, Any]:
        raise UserError("no kernel fits")

    chosen = [("one", 1, fail), ("two", 1, lambda: {"faces": 1}), ("three", 1e6, fail)]
    found = list(script.run(chosen, time.monotonic() + 60))
    assert [result["ok"] for result in found] == [False, True, False]
    assert found[0]["error"] == "UserError: no kernel fits"
    assert found[1]["faces"] == 1
    assert "s are left" in found[2]["error"]
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == found
    assert script.steps(Path("build"))[0][2] is script.machine


def test_ten_minutes_cut_short_leave_what_was_found(tmp_path: Path):
    script = recipe("ten_minutes", ROOT / "tests" / "gpu")
    results = tmp_path / "new" / "results.jsonl"
    seen: list[str] = []

    def look() -> dict[str, Any]:
        seen.append(results.read_text())
        return {}

    def die() -> dict[str, Any]:
        raise KeyboardInterrupt

    chosen = [("one", 1, lambda: {"faces": 1}), ("two", 1, look), ("three", 1, die)]
    with pytest.raises(KeyboardInterrupt):
        script.keep(script.run(chosen, time.monotonic() + 60), results)
    kept = [json.loads(line) for line in results.read_text().splitlines()]
    assert [(result["step"], result["ok"]) for result in kept] == [("one", True), ("two", True)]
    assert [json.loads(text) for text in seen] == kept[:1]
    assert [path.name for path in results.parent.iterdir()] == ["results.jsonl"]


def test_ten_minutes_report_whether_every_step_worked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    script = recipe("ten_minutes", ROOT / "tests" / "gpu")
    monkeypatch.setattr(script.library, "check_machine", lambda: None)
    monkeypatch.setattr(script, "steps", lambda _: [("one", 1, dict)])
    arguments = ["--output", str(tmp_path / "found")]
    assert script.main(arguments) == 0
    assert script.main([*arguments, "--minutes", "0"]) == 1
    (result,) = (tmp_path / "found" / "results.jsonl").read_text().splitlines()
    assert not json.loads(result)["ok"]
