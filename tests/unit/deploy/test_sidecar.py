import json
from dataclasses import replace
from pathlib import Path

import pytest

from amesh.deploy import sidecar
from amesh.deploy.sidecar import Sidecar, TensorSpec
from amesh.errors import UserError
from amesh.topology import load

CONTENT = b"an artefact"


@pytest.fixture
def artefact(tmp_path: Path) -> Path:
    path = tmp_path / "net.onnx"
    path.write_bytes(CONTENT)
    sidecar.write(path, described())
    return path


def described() -> Sidecar:
    return Sidecar(
        kind="onnx",
        sha256=sidecar.sha256(CONTENT),
        bytes=len(CONTENT),
        model="net",
        architecture="AttentionMesh",
        topology="face478",
        topology_sha256=sidecar.topology_hash(load("face478")),
        precision="fp32",
        layout="nchw",
        inputs={"image": TensorSpec((None, 3, 192, 192))},
        outputs={"landmarks": TensorSpec((None, 478, 3)), "face_flag": TensorSpec((None,))},
        weights_sha256="0" * 64,
        parity={"all": {"max": 0.001, "p999": 0.0005}},
        versions=sidecar.versions("torch", "no-such-package"),
    )


def test_what_was_written_is_read(artefact: Path):
    assert sidecar.sidecar_file(artefact).name == "net.onnx.json"
    assert sidecar.read(artefact) == described()
    assert set(described().versions) == {"amesh", "exporters", "python", "torch"}


def test_another_hash_is_refused(artefact: Path):
    artefact.write_bytes(b"something else")
    with pytest.raises(UserError, match=r"net\.onnx: SHA-256 .*sidecar"):
        sidecar.read(artefact)


def test_another_topology_is_refused(artefact: Path):
    sidecar.write(artefact, replace(described(), topology_sha256="f" * 64))
    with pytest.raises(UserError, match=r"topology face478.*\(f{12}"):
        sidecar.read(artefact)
    sidecar.write(artefact, replace(described(), topology="mine"))
    with pytest.raises(UserError, match="no topology 'mine'"):
        sidecar.read(artefact)


def test_missing_files_are_named(artefact: Path):
    sidecar.sidecar_file(artefact).unlink()
    with pytest.raises(UserError, match=r"no net\.onnx\.json"):
        sidecar.read(artefact)
    artefact.unlink()
    with pytest.raises(UserError, match=r"no file .*net\.onnx"):
        sidecar.read(artefact)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff\xfe",
        json.dumps({"inputs": {"image": {}}, "outputs": {}}).encode(),
        json.dumps({"inputs": [], "outputs": {}}).encode(),
        json.dumps({"inputs": {}, "outputs": {}, "colour": "blue"}).encode(),
        b"[" * 100_000,
        json.dumps(described().to_dict() | {"sha256": 7}).encode(),
        json.dumps(described().to_dict() | {"weights": "a test"}).encode(),
        json.dumps(described().to_dict() | {"parity": [0.1]}).encode(),
    ],
)
def test_a_damaged_sidecar_is_refused(artefact: Path, content: bytes):
    sidecar.sidecar_file(artefact).write_bytes(content)
    with pytest.raises(UserError, match=r"net\.onnx\.json: damaged"):
        sidecar.read(artefact)


def test_topology_hash_sees_order():
    face = load("face478")
    swapped = replace(face, regions=face.regions[::-1])
    assert sidecar.topology_hash(face) == sidecar.topology_hash(replace(face))
    assert sidecar.topology_hash(face) != sidecar.topology_hash(swapped)
