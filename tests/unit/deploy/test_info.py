import json
from dataclasses import replace
from pathlib import Path

import pytest

from amesh.blazeface.config import SHORT
from amesh.blazeface.network import build_detector
from amesh.cli import main
from amesh.deploy import sidecar
from amesh.deploy.info import describe
from amesh.deploy.litert.detector import export_detector
from amesh.deploy.sidecar import Sidecar, TensorSpec
from amesh.errors import UserError
from amesh.topology import load


def write_engine(folder: Path) -> Path:
    """An engine as its sidecar describes it; nothing else can, without its GPU."""
    path = folder / "face.engine"
    path.write_bytes(b"content")
    about = Sidecar(
        kind="tensorrt",
        sha256=sidecar.sha256(b"content"),
        bytes=7_200_000,
        model="mine",
        architecture="AttentionMesh",
        topology="face478",
        topology_sha256=sidecar.topology_hash(load("face478")),
        precision="fp16",
        layout="nhwc",
        normalisation="RGB, 0 to 255",
        inputs={"image": TensorSpec((None, 192, 192, 3), "uint8")},
        outputs={"landmarks": TensorSpec((None, 478, 3))},
        weights_sha256="abc123",
        weights={"source": "a test", "licence": "CC0-1.0"},
        parity={"against": "ONNX Runtime", "all": {"max": 0.0123}, "count": 17},
        versions={"amesh": "0.1.0"},
        details={"hardware": "this", "version_compatible": False, "gpu": {"name": "Test GPU"}},
    )
    sidecar.write(path, about)
    return path


def test_a_sidecar_says_all_of_it(tmp_path: Path):
    lines = describe(write_engine(tmp_path)).splitlines()
    assert lines[0] == "face.engine: an engine for the NVIDIA GPU in this machine"
    for line in (
        *("network          AttentionMesh mine", "topology         face478"),
        *("precision        fp16", "batch            any", "size             7.2 MB"),
        "normalisation    RGB, 0 to 255",
        f"SHA-256          {sidecar.sha256(b'content')}",
        "  image          uint8 (any, 192, 192, 3)  pictures, RGB, 0 to 255",
        "  landmarks      float32 (any, 478, 3)  x, y and z of each landmark [px of the crop]",
        *("  SHA-256        abc123", "  source         a test", "  licence        CC0-1.0"),
        "at most 0.01230 px from ONNX Runtime, over 17 crops",
        *(
            "  amesh          0.1.0",
            "  hardware       this",
            "  version_compatible false",
            '  gpu            {"name": "Test GPU"}',
        ),
        "face.engine.json says more",
    ):
        assert line in lines


def test_a_file_that_does_not_match_its_sidecar_is_refused(tmp_path: Path):
    path = write_engine(tmp_path)
    path.write_bytes(b"other")
    with pytest.raises(UserError, match=r"face\.engine: SHA-256 .* damaged or replaced"):
        describe(path)


@pytest.mark.parametrize("parity", [{"all": 3}, {"all": {"max": "x"}, "count": 1}, {"count": 1}])
def test_a_sidecar_that_was_edited_is_damaged(tmp_path: Path, parity: dict):
    path = write_engine(tmp_path)
    sidecar.write(path, replace(sidecar.read(path), parity=parity))
    with pytest.raises(UserError, match=r"face\.engine\.json: damaged, or not written by"):
        describe(path)


def test_without_a_sidecar_a_file_speaks_for_itself(tmp_path: Path, small_graph):
    path = tmp_path / "face.onnx"
    model = small_graph()
    path.write_bytes(model.SerializeToString())
    lines = describe(path).splitlines()
    assert "network          not stated" in lines
    assert f"SHA-256          {sidecar.sha256(path.read_bytes())}" in lines
    assert "  image          float32 (any, 3, 64, 64)  pictures, RGB / 255, in [0, 1]" in lines
    assert lines[-1] == "no face.onnx.json beside it, which would say more"
    entry = model.metadata_props.add()
    for text in ("{", "[]"):
        entry.key, entry.value = "amesh", text
        path.write_bytes(model.SerializeToString())
        with pytest.raises(UserError, match=r"face\.onnx: its metadata"):
            describe(path)
    entry.key, entry.value = "amesh", json.dumps({"model": "mine", "precision": "fp16"})
    path.write_bytes(model.SerializeToString())
    lines = describe(path).splitlines()
    assert {"network          mine", "precision        fp16"} <= set(lines)


def test_a_tflite_file_of_a_detector(tmp_path: Path):
    pytest.importorskip("ai_edge_litert")
    path = tmp_path / "short.tflite"
    path.write_bytes(export_detector(build_detector(SHORT), 2, verify=False))
    lines = describe(path).splitlines()
    assert {"network          Detector detector-short", "batch            2"} <= set(lines)
    assert any(line.startswith("  boxes          float32 (2, 896, 16)  box and") for line in lines)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone.onnx", r"no file .*gone\.onnx; `amesh export onnx` writes one"),
        ("bare.engine", r"bare\.engine: no bare\.engine\.json beside it"),
        ("bad.onnx", r"bad\.onnx: ONNX Runtime cannot load it"),
        ("bad.task", r"bad\.task: not a bundle with face_landmarks_detector\.tflite in it"),
        ("notes.txt", r"notes\.txt: not an exported file; those end in \.tflite, \.onnx"),
    ],
)
def test_what_cannot_be_described_is_said_in_one_line(tmp_path: Path, name: str, message: str):
    if name.endswith(".task"):
        pytest.importorskip("ai_edge_litert")
    if not name.startswith("gone"):
        (tmp_path / name).write_bytes(b"nothing of the kind")
    with pytest.raises(UserError, match=message):
        describe(tmp_path / name)


def test_the_command_takes_weights_and_exported_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path("tiny-128").mkdir()  # a folder is no weights file, so the name is still the network's
    assert main(["info", str(write_engine(tmp_path))]) == 0
    assert "face.engine: an engine" in capsys.readouterr().out
    assert main(["info", "tiny-128"]) == 0
    assert "SHA-256 of the weights: " in capsys.readouterr().out
    (tmp_path / "face.bin").touch()
    assert main(["info", str(tmp_path / "face.bin")]) == 2
    assert "face.bin: not a weights file; those end in" in capsys.readouterr().err
    assert main(["info", "gone.safetensors"]) == 2
    assert "no weights file gone.safetensors" in capsys.readouterr().err
