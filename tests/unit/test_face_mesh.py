from collections.abc import Callable
from pathlib import Path

import pytest

from amesh.deploy import formats
from amesh.deploy.cache import exported
from amesh.deploy.formats import Format
from amesh.errors import UserError
from amesh.face_mesh import open_runner
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.config import NAMED
from amesh.runner import TorchRunner
from amesh.weights import store


@pytest.fixture
def mine(empty_cache: Path) -> Path:
    path = empty_cache / "weights" / "mine.safetensors"
    store.save(AttentionMesh(NAMED["tiny-128"]), path, {})
    return path


def test_without_an_exported_file_pytorch_runs_it(mine: Path):
    runner = open_runner("mine")
    assert isinstance(runner, TorchRunner)
    assert (runner.name, runner.input_size, runner.topology.points) == ("mine", 128, 478)
    assert isinstance(open_runner(mine), TorchRunner)


@pytest.mark.parametrize("runtime", ["onnx", "litert", "tensorrt"])
def test_a_runtime_without_its_file_says_how_to_write_one(
    mine: Path, monkeypatch: pytest.MonkeyPatch, runtime: str
):
    monkeypatch.setattr(Format, "require", lambda _: None)
    with pytest.raises(UserError, match=f"`amesh export {runtime} --model mine"):
        open_runner("mine", runtime)


@pytest.mark.parametrize("runtime", ["auto", "torch", "onnx"])
def test_a_misspelt_name_is_reported_as_such(mine: Path, runtime: str):
    with pytest.raises(UserError, match=r"'yours'.*mine"):
        open_runner("yours", runtime)


@pytest.mark.parametrize("runtime", ["litert", "tensorrt"])
def test_a_runtime_that_is_not_installed_is_reported_first(
    mine: Path, monkeypatch: pytest.MonkeyPatch, runtime: str
):
    monkeypatch.setattr(formats, "find_spec", lambda _: None)
    for model in ("mine", "misspelt", f"gone{formats.runtime_named(runtime).suffix}"):
        with pytest.raises(UserError, match=rf"pip install 'amesh\[{runtime}\]'"):
            open_runner(model, runtime)


@pytest.mark.parametrize("name", ["gone.onnx", "gone.tflite"])
def test_a_files_suffix_says_its_runtime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    for runtime in ("auto", "torch"):
        with pytest.raises(UserError, match=f"no file .*{name}|amesh.litert"):
            open_runner(tmp_path / name, runtime)


def test_misspelt_options_name_the_choices(mine: Path, run_python: Callable[[str], str]):
    printed = run_python(f"""
import amesh
for options in ({{"runtime": "tflite"}}, {{"detector": "fulll"}}):
    try:
        amesh.FaceMesh({str(mine)!r}, **options)
    except amesh.UserError as error:
        print(error)
""")
    assert "no runtime 'tflite'; choose one of auto, litert" in printed
    assert "no face detector 'fulll'; choose one of short, full, both" in printed


def test_the_cache_keeps_one_file_for_each_runtime(empty_cache: Path):
    files = [exported("mine", row) for row in formats.cached()]
    assert files == [empty_cache / "litert" / "mine.tflite", empty_cache / "onnx" / "mine.onnx"]
