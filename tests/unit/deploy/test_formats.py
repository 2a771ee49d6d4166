from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from amesh.blazeface.config import SHORT
from amesh.blazeface.network import build_detector
from amesh.cli.commands import command_parser
from amesh.deploy import export as verb
from amesh.deploy import formats, keeping, sidecar
from amesh.deploy.formats import Batch, Format
from amesh.detector_runner import TorchDetector
from amesh.errors import UserError
from amesh.face_mesh import open_detector, open_runner
from amesh.lazy import resolve
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.config import NAMED
from amesh.runner import Runner
from amesh.weights import store

HERE = Path(__file__).parent


def test_reading_the_table_imports_neither_torch_nor_a_runtime(run_python: Callable[[str], str]):
    root = HERE.parents[2]
    printed = run_python(
        f"import sys; sys.path.insert(0, {str(root)!r})\n"
        "import amesh.deploy.formats, amesh.weights.architectures\n"
        "print(*{'torch', 'numpy', 'onnx', 'onnxruntime', 'ai_edge_litert'} & set(sys.modules))"
    )
    assert printed.strip() == ""


@pytest.mark.parametrize("row", formats.FORMATS, ids=lambda row: row.name)
def test_every_row_names_code_that_exists(row: Format):
    named = [row.exporter, row.runner, row.timer, row.check]
    assert all(callable(resolve(reference)) for reference in named if reference)
    assert row.runner or row.exporter
    assert not row.timer or row.runner
    assert row.auto <= bool(row.runner)


def test_names_and_suffixes_are_unique():
    for values in (formats.names(formats.FORMATS), [row.suffix for row in formats.FORMATS]):
        assert len(set(values)) == len(values)


@pytest.mark.parametrize(
    ("batches", "asked", "size"),
    [
        *(("any", None, None), ("any", "dynamic", None), ("any", 4, 4)),
        *(("fixed", None, 1), ("fixed", 4, 4), ("one", None, 1), ("one", 1, 1)),
    ],
)
def test_the_batch_of_a_file(batches: str, asked: Batch, size: int | None):
    row = next(row for row in formats.exported() if row.batches == batches)
    assert row.batch_size(asked) == size


@pytest.mark.parametrize(
    ("batches", "asked", "message"),
    [
        ("any", 0, "batch 0, expected 1 or more"),
        ("fixed", "dynamic", "no dynamic batch"),
        ("one", 2, "batch 2, expected always 1"),
    ],
)
def test_a_batch_that_a_format_lacks_is_refused(batches: str, asked: Batch, message: str):
    row = next(row for row in formats.exported() if row.batches == batches)
    with pytest.raises(UserError, match=message):
        row.batch_size(asked)


def test_an_opset_that_a_format_lacks_is_refused():
    formats.format_named("onnx").check_opset(23)
    formats.format_named("litert").check_opset(None)
    with pytest.raises(UserError, match="onnx has no opset 17; it has: 18 to 23"):
        formats.format_named("onnx").check_opset(17)
    with pytest.raises(UserError, match="litert has no opset 19; it has: none to choose"):
        formats.format_named("litert").check_opset(19)


def test_what_every_file_does_may_be_said_of_any_format():
    for row in formats.exported():
        row.check_options({"input": "float32", "web": False})
    formats.format_named("onnx").check_options({"input": "uint8"})
    with pytest.raises(UserError, match="litert has no option --input"):
        formats.format_named("litert").check_options({"input": "uint8"})


def test_a_name_of_another_format_is_refused_for_output():
    with pytest.raises(UserError, match=r"face\.task: \.task is for task; onnx files end in"):
        formats.format_named("onnx").check_output(Path("face.task"))


def test_unknown_names_are_reported_with_those_that_exist():
    with pytest.raises(UserError, match="'tflite'; choose one of auto, litert"):
        formats.require_runtime("tflite")
    with pytest.raises(UserError, match="'torch'; choose one of litert, onnx"):
        formats.format_named("torch")
    with pytest.raises(UserError, match="'tensorrt'; choose one of litert"):
        formats.timed_named("tensorrt")


@pytest.mark.parametrize("row", formats.exported(), ids=lambda row: row.name)
def test_a_missing_package_is_reported_before_the_network_is_loaded(
    row: Format, monkeypatch: pytest.MonkeyPatch
):
    def load(*_: object) -> None:
        raise AssertionError("the network was loaded first")

    monkeypatch.setattr(verb, "open_network", load)
    monkeypatch.setattr(formats, "find_spec", lambda _: None)
    what = rf".*'\.\[{row.extra}\]'" if row.extra else row.package
    with pytest.raises(UserError, match=f"pip install {what}"):
        verb.export("paper-256", row.name)


def test_a_missing_gpu_is_reported_before_the_network_is_loaded(
    tensorrt: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UserError, match="TensorRT needs an NVIDIA GPU"):
        verb.export("no such network", "tensorrt", tmp_path / "net.engine")


EXPORTER = """
from amesh.deploy.artefact import Artefact
from amesh.runner import TorchRunner

def made_up_artefact(request):
    shapes = {"image": ("batch", 128, 128, 3)}
    content = request.net.config.name.encode()
    return Artefact(content, TorchRunner(request.net), shapes, {}, "nhwc", ("torch",))
"""
RUNNER = """
from pathlib import Path
from amesh.runner import TorchRunner

class MadeUpRunner(TorchRunner):
    def __init__(self, path, threads):
        super().__init__(TorchRunner.open(Path(path).read_text()).net, threads=threads)

def timed_call(request, threads):
    return lambda: request.batch * threads
"""


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Format:
    """A runtime that is nothing but a row of the table and two modules."""
    (tmp_path / "made_up_exporter.py").write_text(EXPORTER)
    (tmp_path / "made_up_runner.py").write_text(RUNNER)
    monkeypatch.syspath_prepend(tmp_path)
    row = Format(
        name="made-up",
        summary="a test",
        suffix=".made",
        package="made_up_runner",
        exporter="made_up_exporter:made_up_artefact",
        runner="made_up_runner:MadeUpRunner",
        timer="made_up_runner:timed_call",
        precisions=("fp32",),
        auto=True,
    )
    torch = formats.runtime_named("torch")
    monkeypatch.setattr(formats, "FORMATS", (row, torch))
    return row


def test_a_new_runtime_is_a_row_and_two_modules(made_up: Format, empty_cache: Path, tmp_path: Path):
    assert find_spec(made_up.package) is not None
    net = AttentionMesh(NAMED["tiny-128"])
    store.save(net, store.weights_folder() / "mine.safetensors", {})
    # Exported, with parity and sidecar.
    path = verb.export("mine", "made-up", tmp_path / "net.made", say=lambda _: None)
    about = sidecar.read(path)
    assert (about.kind, about.model, about.layout) == ("made-up", "mine", "nhwc")
    assert about.parity["all"]["max"] < 1e-3
    with pytest.raises(UserError, match="no precision 'fp16'; it has: fp32"):
        verb.export("mine", "made-up", precision="fp16")
    # Opened by its suffix.
    assert type(open_runner(path)).__name__ == "MadeUpRunner"
    # Kept in the cache, where `auto` and its own name find it.
    [kept] = keeping.keep_all("mine", say=lambda _: None)
    assert kept == empty_cache / "made-up" / "mine.made"
    for runtime in ("auto", "made-up"):
        runner = open_runner("mine", runtime)
        assert type(runner).__name__ == "MadeUpRunner"
        assert isinstance(runner, Runner)
        assert runner.name == "mine"
    # A runtime without detectors keeps none, and leaves them to those that run them.
    store.save(build_detector(SHORT), empty_cache / "weights" / "detector-short.safetensors", {})
    assert keeping.keep_all("detector-short", say=lambda _: None) == []
    [network] = open_detector("short", "made-up").networks
    assert isinstance(network, TorchDetector)
    # Offered on the command line.
    options = command_parser("export").parse_args(["made-up"])
    assert options.format == "made-up"
    options = command_parser("run").parse_args(["a.jpg", "--runtime", "made-up"])
    assert options.runtime == "made-up"


def test_a_new_runtime_is_timed(made_up: Format):
    from amesh.benchmark.latency import Setting, settings_of, timed_call

    [setting] = settings_of(["made-up"], ["fp32", "fp16"], [3], [2])
    assert setting == Setting("made-up", "fp32", 3, 2)
    net = AttentionMesh(NAMED["tiny-128"])
    assert timed_call(net, None, setting)() == 6


def test_weights_take_the_runtime_that_files_beside_them_do_not_have():
    both = ("paper-256", "int8.onnx")
    assert formats.runtime_among("paper-256", both, "torch") == "torch"
    assert formats.runtime_among("int8.onnx", both, "torch") == "auto"
    assert formats.runtime_among("int8.onnx", ("int8.onnx",), "torch") == "torch"
