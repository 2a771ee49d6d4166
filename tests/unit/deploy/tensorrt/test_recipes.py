"""The recipes in deploy/trt, outside of the package."""

import argparse
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import onnx
import pytest

from amesh.deploy.tensorrt.library import Gpu
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
