from collections.abc import Callable
from pathlib import Path

import pytest

from amesh.blazeface.config import FULL, SHORT, DetectorConfig
from amesh.blazeface.network import build_detector
from amesh.deploy import cache, formats
from amesh.deploy.cache import exported
from amesh.deploy.formats import Format
from amesh.detector_runner import DetectorRunner, TorchDetector
from amesh.errors import UserError
from amesh.face_mesh import as_runner, open_detector, open_runner
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.config import NAMED
from amesh.pipeline.detector_kind import DetectorKind
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


@pytest.mark.parametrize("model", [None, b"mine", TorchRunner])
def test_what_is_neither_a_name_nor_a_runner_is_refused(model: object):
    with pytest.raises(UserError, match=r"^model is a \w+; give the name of weights"):
        as_runner(model)


def test_a_network_is_put_into_a_runner_first():
    net = AttentionMesh(NAMED["tiny-128"])
    with pytest.raises(UserError, match=r"AttentionMesh; .*TorchRunner\(net\)"):
        as_runner(net)
    runner = TorchRunner(net)
    assert as_runner(runner) is runner


@pytest.mark.parametrize("threads", [0, -1])
def test_a_network_takes_at_least_one_thread(mine: Path, threads: int):
    with pytest.raises(UserError, match=f"^threads is {threads}; expected 1, 2"):
        open_runner(mine, threads=threads)
    with pytest.raises(UserError, match=f"^threads is {threads}; expected 1, 2"):
        open_detector("short", threads=threads)


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
        with pytest.raises(UserError, match=rf"install .*'\.\[{runtime}\]'"):
            open_runner(model, runtime)


@pytest.mark.parametrize("name", ["gone.onnx", "gone.tflite"])
def test_a_files_suffix_says_its_runtime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    own = {"gone.onnx": "onnx", "gone.tflite": "litert"}[name]
    for runtime in ("auto", own):
        with pytest.raises(UserError, match=f"no file .*{name}|litert needs ai_edge_litert"):
            open_runner(tmp_path / name, runtime)
    with pytest.raises(UserError, match=f"{name}: .* is for {own}, not for torch; leave the run"):
        open_runner(tmp_path / name, "torch")


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("face.mlpackage", "Core ML on Apple's systems, an .mlpackage folder, which amesh writes"),
        ("face.task", "a bundle for MediaPipe's Face Landmarker, which amesh writes but does not"),
        ("face.bin", "not a weights file; those end in .safetensors"),
    ],
)
def test_a_file_that_amesh_does_not_run_is_called_what_it_is(tmp_path: Path, name: str, what: str):
    (tmp_path / name).touch()
    for runtime in ("auto", "torch"):
        with pytest.raises(UserError, match=f"{name}: {what}"):
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
    assert "no face detector 'fulll'; choose one of auto, short, full, both" in printed


@pytest.fixture
def detectors(empty_cache: Path) -> None:
    for config in (SHORT, FULL):
        path = empty_cache / "weights" / f"{config.model}.safetensors"
        store.save(build_detector(config), path, {})


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("short", [SHORT]),
        ("full", [FULL]),
        ("both", [SHORT, FULL]),
        ("auto", [SHORT, FULL]),
        ("crowd", [SHORT, FULL]),
    ],
)
def test_kinds_of_detectors(detectors: None, kind: DetectorKind, names: list[DetectorConfig]):
    detector = open_detector(kind)
    assert [network.config for network in detector.networks] == names
    assert (detector.tiles > 1) == (kind == "crowd")
    assert (detector.enough < 1) == (kind == "auto")


def test_detectors_run_where_they_are_asked_to_if_they_can(
    detectors: None, monkeypatch: pytest.MonkeyPatch
):
    ready = {("detector-full", "onnx"), ("detector-full", "litert"), ("detector-short", "onnx")}
    monkeypatch.setattr(cache, "is_ready", lambda name, row: (name, row.name) in ready)
    opened: list[str] = []

    def note(row: Format, file: str | Path, threads: int) -> DetectorRunner:
        opened.append(f"{row.name} {Path(file).name} {threads}")
        return TorchDetector(build_detector(SHORT))

    monkeypatch.setattr(Format, "open_detector", note)
    for runtime in ("auto", "onnx", "torch", "tensorrt"):
        open_detector("both", runtime, threads=3)
    assert opened == [
        *("onnx detector-short.onnx 3", "litert detector-full.tflite 3"),
        *("onnx detector-short.onnx 3", "onnx detector-full.onnx 3"),
        *("torch detector-short 3", "torch detector-full 3"),
        *("onnx detector-short.onnx 3", "litert detector-full.tflite 3"),
    ]


def test_detectors_that_are_not_installed_are_reported_as_such(empty_cache: Path):
    with pytest.raises(UserError, match=r"'detector-short'.*weights import"):
        open_detector()


HEAVY = """
import sys
print(sorted({"torch", "kornia", "onnx", "onnxscript", "scipy"} & set(sys.modules)))
"""


def test_exported_networks_find_faces_without_pytorch(
    mine: Path, detectors: None, run_python: Callable[[str], str]
):
    pytest.importorskip("ai_edge_litert")
    run_python("""
from amesh.deploy import formats
from amesh.deploy.keeping import keep
for name in ("mine", "detector-short", "detector-full"):
    keep(name, formats.format_named("litert"), say=lambda _: None)
""")
    code = """
import amesh
import numpy as np
face_mesh = amesh.FaceMesh("mine", min_score=0)
picture = np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8)
face_mesh(picture)
[face] = face_mesh(picture, boxes=[50, 60, 200, 210])
print(face.landmarks.shape, *(type(one).__name__ for one in face_mesh.detector.networks))
"""
    printed = run_python(code + HEAVY)
    assert printed.splitlines() == ["(478, 3) FileDetector FileDetector", "[]"]


@pytest.mark.slow
def test_onnx_runtime_predicts_without_pytorch(
    mine: Path, tmp_path: Path, run_python: Callable[[str], str]
):
    run_python("""
from amesh.deploy import formats
from amesh.deploy.keeping import keep
keep("mine", formats.format_named("onnx"), say=lambda _: None)
""")
    code = """
import numpy as np
from amesh.face_mesh import open_runner
from amesh.pipeline.face_pipeline import FacePipeline
pipeline = FacePipeline(open_runner("mine", "onnx"), lambda _: [])
[face] = pipeline(np.zeros((300, 400, 3), np.uint8), boxes=[50, 60, 200, 210])
print(face.landmarks.shape)
"""
    assert run_python(code + HEAVY).splitlines() == ["(478, 3)", "[]"]


def test_the_command_line_needs_no_pytorch_to_start(run_python: Callable[[str], str]):
    code = """
import contextlib
from amesh.cli import main
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(None):
    main(["run", "--help"])
import amesh.face_mesh, amesh.face_tracker, amesh.pipeline.run, amesh.pipeline.draw
"""
    assert run_python(code + HEAVY) == "[]\n"


def test_the_cache_keeps_one_file_for_each_runtime(empty_cache: Path):
    files = [exported("mine", row) for row in formats.cached()]
    assert files == [empty_cache / "litert" / "mine.tflite", empty_cache / "onnx" / "mine.onnx"]
