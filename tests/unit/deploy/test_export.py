"""The verb, with a maker in place of torch's export: that one is slow, and tested in test_onnx."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor, nn

from amesh.blazeface.config import SHORT
from amesh.blazeface.network import build_detector
from amesh.deploy import export as verb
from amesh.deploy import formats, sidecar
from amesh.deploy.artefact import Artefact
from amesh.deploy.cache import exported
from amesh.deploy.crops import parity_crops
from amesh.deploy.export import export
from amesh.deploy.keeping import keep
from amesh.deploy.onnx import artefact as onnx
from amesh.deploy.request import Request
from amesh.errors import UserError
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.config import NAMED
from amesh.nn.output import MeshOutput
from amesh.runner import TorchRunner
from amesh.weights import hashes, store

ONNX = formats.format_named("onnx")


@pytest.fixture
def net() -> AttentionMesh:
    return AttentionMesh(NAMED["tiny-128"]).eval()


@pytest.fixture
def maker(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets what `export onnx` makes: a file that is off by so many px."""

    def install(error: float) -> None:
        def make(request: Request) -> Artefact:
            runner = TorchRunner(request.net)

            def run(crops: np.ndarray) -> dict[str, np.ndarray]:
                output = runner(crops)
                return {
                    "landmarks": output.landmarks + np.float32(error / np.sqrt(3)),
                    "face_flag": output.face_flag,
                }

            inputs = {"image": ("batch", 3, 128, 128)}
            return Artefact(b"content", run, inputs, {}, "nchw", ("onnx",))

        monkeypatch.setattr(onnx, "onnx_artefact", make)

    install(0.0)
    return install


def test_writes_a_file_with_its_sidecar_and_says_the_figures(
    net: AttentionMesh, maker: Callable[[float], None], tmp_path: Path
):
    maker(0.005)
    said: list[str] = []
    path = export(net, "onnx", tmp_path / "new" / "net.onnx", say=said.append)
    assert path.read_bytes() == b"content"
    about = sidecar.read(path)
    assert (about.kind, about.model, about.precision) == ("onnx", "tiny-128", "fp32")
    assert about.architecture == "AttentionMesh"
    assert about.parity["all"]["max"] == pytest.approx(0.005, abs=1e-4)
    assert about.weights_sha256 == hashes.weights_hash(net)
    assert {"amesh", "torch", "onnx"} <= set(about.versions)
    assert any("0.00500" in line for line in said)


def test_a_file_that_fails_is_not_left(
    net: AttentionMesh, maker: Callable[[float], None], tmp_path: Path
):
    path = tmp_path / "net.onnx"
    maker(0.02)
    with pytest.raises(UserError, match=r"net\.onnx: .*PyTorch.*0\.02 px"):
        export(net, "onnx", path, say=lambda _: None)
    assert not list(tmp_path.iterdir())
    path.write_bytes(b"earlier")
    with pytest.raises(UserError, match=r"differs .* nothing was written"):
        export(net, "onnx", path, say=lambda _: None)
    assert path.read_bytes() == b"earlier"
    # What is too much in single precision may be little in half.
    export(net, "onnx", path, "fp16", say=lambda _: None)
    assert path.read_bytes() == b"content"


def test_an_interruption_leaves_no_half_file(
    net: AttentionMesh,
    maker: Callable[[float], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export(net, "onnx", tmp_path / "net.onnx", say=lambda _: None)
    assert not list(tmp_path.iterdir())


def test_an_interruption_between_file_and_sidecar_shows(
    net: AttentionMesh,
    maker: Callable[[float], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    path = tmp_path / "net.onnx"
    export(net, "onnx", path, say=lambda _: None)
    path.write_bytes(b"of a new export whose sidecar was never written")
    with pytest.raises(UserError, match="damaged or replaced"):
        sidecar.read(path)


def test_litert_names_its_extra(
    net: AttentionMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(UserError, match=r"install .*'\.\[litert\]'"):
        export(net, "litert", tmp_path / "net.tflite", say=lambda _: None)
    assert not list(tmp_path.iterdir())


def test_what_is_unknown_is_refused_with_what_there_is(net: AttentionMesh, tmp_path: Path):
    with pytest.raises(UserError, match=r"'caffe'.*litert, onnx, openvino"):
        export(net, "caffe")
    with pytest.raises(UserError, match=f"{tmp_path}: a folder; name a file"):
        export(net, output=tmp_path)
    with pytest.raises(UserError, match=r"\.tflite is for litert; onnx files end in \.onnx"):
        export(net, output=tmp_path / "net.tflite")
    with pytest.raises(UserError, match="a AttentionMesh has no parts"):
        export(net, part="lips")
    with pytest.raises(UserError, match=r"'huge'.*paper-256"):
        export("huge", untrained="cascade")
    with pytest.raises(UserError, match="released-192: its mesh has no irises"):
        export("released-192", untrained="mesh_only")
    with pytest.raises(UserError, match="no architecture 'resnet'; choose one"):
        export("paper-256", untrained="resnet")


def test_an_unknown_type_of_input_is_refused(net: AttentionMesh):
    with pytest.raises(UserError, match="input 'uint16': expected float32 or uint8"):
        export(net, "onnx", options={"input": "uint16"})


def test_a_file_that_cuts_its_own_crops_is_compared_in_its_own_way(
    net: AttentionMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    class Far(nn.Module):
        """Answers for PyTorch: the network's landmarks, moved by 3 px."""

        config = net.config

        def forward(self, image: Tensor) -> MeshOutput:
            found = net(image)
            return found._replace(landmarks=found.landmarks + 3.0)

    def make(request: Request) -> Artefact:
        samples.append(request.samples)
        reference, run = Far(), TorchRunner(request.net)

        def moved(crops: np.ndarray) -> dict[str, np.ndarray]:
            found = run(crops)
            return {"landmarks": found.landmarks + 3.0, "face_flag": found.face_flag}

        return Artefact(b"content", moved, {}, {}, "nhwc", (), reference=reference)

    samples: list[int | None] = []
    monkeypatch.setattr(onnx, "onnx_artefact", make)
    monkeypatch.chdir(tmp_path)
    path = export(net, "onnx", samples=3, say=lambda _: None)
    assert (path.name, samples) == ("tiny-128-with-crop-fp32.onnx", [3])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "litert"}, "litert has no such files; these formats have: onnx"),
        ({"precision": "int8"}, "its precision is fp32 or fp16"),
        ({"part": "mesh"}, "it is for whole landmark networks"),
        ({"model": build_detector(SHORT)}, "it is for whole landmark networks"),
        ({"batch": 4}, "batch 4: it takes any number of regions"),
        *(({"samples": n}, f"samples {n}: expected 1 to 8") for n in (-1, 0, 9)),
    ],
)
def test_there_are_no_other_files_that_cut_their_own_crops(
    net: AttentionMesh, monkeypatch: pytest.MonkeyPatch, change: dict, message: str
):
    monkeypatch.setattr(formats.Format, "require", lambda _: None)
    with pytest.raises(UserError, match=f"cuts its own crops: {message}"):
        export(**{"model": net, "samples": 2, **change})


@pytest.mark.parametrize("format", ["tensorrt", "task"])
def test_detectors_have_the_formats_that_run_them(monkeypatch: pytest.MonkeyPatch, format: str):
    monkeypatch.setattr(formats.Format, "require", lambda _: None)
    with pytest.raises(UserError, match=r"detector-short: .* have: litert, onnx, openvino$"):
        export(build_detector(SHORT), format)


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_detectors_have_single_precision_only(precision: formats.Precision):
    with pytest.raises(UserError, match=f"in fp32, not in {precision}"):
        export(build_detector(SHORT), "onnx", precision=precision)


def test_what_is_no_network_of_this_package_is_refused():
    with pytest.raises(UserError, match="a Linear cannot be exported"):
        export(nn.Linear(1, 1))


def test_untrained_networks_are_the_same_whenever_they_are_made():
    nets = [verb.open_network("tiny-128", "cascade")[0] for _ in range(2)]
    assert hashes.weights_hash(nets[0]) == hashes.weights_hash(nets[1])


def test_the_cache_is_filled_once_and_again_when_weights_change(
    empty_cache: Path, net: AttentionMesh, maker: Callable[[float], None]
):
    store.save(net, store.weights_folder() / "mine.safetensors", {"source": "here"})
    said: list[str] = []
    path = keep("mine", ONNX, said.append)
    assert path == exported("mine", ONNX) == empty_cache / "onnx" / "mine.onnx"
    assert sidecar.read(path).weights == {"source": "here"}
    said.clear()
    assert keep("mine", ONNX, said.append) == path
    assert said == []
    other = AttentionMesh(NAMED["tiny-128"])
    store.save(other, store.weights_folder() / "mine.safetensors", {"source": "there"})
    keep("mine", ONNX, said.append)
    assert said
    assert sidecar.read(path).weights == {"source": "there"}


def test_int8_is_calibrated_on_the_crops_given_and_judged_on_upright_faces(
    net: AttentionMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked: list[Request] = []
    shapes: list[tuple[int, ...]] = []

    def make(request: Request) -> Artefact:
        asked.append(request)

        def run(crops: np.ndarray) -> dict[str, np.ndarray]:
            shapes.append(crops.shape)
            return TorchRunner(request.net)(crops)._asdict()

        return Artefact(b"content", run, {}, {}, "nchw", ("onnx",))

    monkeypatch.setattr(onnx, "onnx_artefact", make)
    own = np.zeros((3, 128, 128, 3), np.float32)
    said: list[str] = []
    for crops in (own, None):
        export(net, "onnx", tmp_path / "net.onnx", "int8", calibration=crops, say=said.append)
    assert asked[0].calibrated_on is own
    assert len(asked[1].calibrated_on) == len(parity_crops(128).images)
    assert "calibrating on the 3 crops given" in said
    assert set(shapes) == {(len(parity_crops(128).names) - 6, 128, 128, 3)}  # 6 show none
    assert sidecar.read(tmp_path / "net.onnx").parity["crops"] == "collins-1, upright faces"
    with pytest.raises(UserError, match="fp16 needs no calibration"):
        export(net, "onnx", tmp_path / "other.onnx", "fp16", calibration=own)


def test_file_for_browsers_says_where_its_numbers_belong(net: AttentionMesh, tmp_path: Path):
    pytest.importorskip("ai_edge_litert")
    file = tmp_path / "face.tflite"
    export(net, "litert", file, options={"web": True}, say=lambda line: None)
    described = sidecar.read(file)
    assert set(described.outputs) == {"numbers", "face_flag"}
    assert len(described.details["places"]) == 478 * 3
    crops = parity_crops(128).images[:1]
    found = formats.runtime_named("litert").open(file)(crops)
    expected = TorchRunner(net)(crops)
    assert np.abs(found.landmarks - expected.landmarks).max() < 0.1


def test_only_litert_has_files_for_browsers(net: AttentionMesh):
    with pytest.raises(UserError, match=r"onnx has no option --web"):
        export(net, "onnx", options={"web": True})


def test_parts_have_no_files_for_browsers():
    pytest.importorskip("ai_edge_litert")
    with pytest.raises(UserError, match="--web is for whole networks; leave out --part"):
        export("tiny-128", "litert", untrained="cascade", part="lips", options={"web": True})
