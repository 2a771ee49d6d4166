from pathlib import Path

import pytest

from amesh.blazeface.config import SHORT
from amesh.blazeface.network import build_detector
from amesh.cli import main
from amesh.deploy import keeping
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.config import NAMED
from amesh.nn.names import DEFAULT
from amesh.weights import install, store
from amesh.weights.packages import FACE_LANDMARKER


@pytest.fixture(autouse=True)
def shipped(empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that comes without weights, and an empty cache."""
    monkeypatch.setattr(store, "_SHIPPED", tmp_path / "shipped")
    return tmp_path / "shipped"


def _save(folder: Path, name: str) -> Path:
    path = folder / f"{name}.safetensors"
    store.save(AttentionMesh(NAMED["tiny-128"]), path, {"source": f"test of {name}"})
    return path


@pytest.mark.parametrize("there", [True, False])
def test_import_exports_the_default_network_where_there_is_one(
    shipped: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    if there:
        _save(shipped, DEFAULT)
    kept: list[str] = []
    monkeypatch.setattr(keeping, "keep_all", kept.append)
    files = [Path("released-192.safetensors"), Path("detector-short.safetensors")]
    monkeypatch.setattr(install, "import_released", lambda *_: files)
    assert main(["weights", "import"]) == 0
    assert kept == ["released-192", "detector-short", *([DEFAULT] if there else [])]


def test_import_of_a_detector_alone_exports_that(
    shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _save(shipped, DEFAULT)
    kept: list[str] = []
    monkeypatch.setattr(keeping, "keep_all", kept.append)
    monkeypatch.setattr(install, "import_released", lambda *_: [Path("detector-full.safetensors")])
    assert main(["weights", "import"]) == 0
    assert kept == ["detector-full"]


def test_import_takes_a_package_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[object] = []
    kept: list[str] = []

    def fake(*arguments: object) -> list[Path]:
        asked.extend(arguments)
        return [Path("face-landmarker-v2.safetensors")]

    monkeypatch.setattr(keeping, "keep_all", kept.append)
    monkeypatch.setattr(install, "import_released", fake)
    assert main(["weights", "import", "face-landmarker"]) == 0
    assert asked == [None, FACE_LANDMARKER]
    assert kept == ["face-landmarker-v2"]
    with pytest.raises(SystemExit):
        main(["weights", "import", "eye-landmarker"])
    assert "invalid choice: 'eye-landmarker'" in capsys.readouterr().err


def test_list_says_where_no_detector_is(
    shipped: Path, empty_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _save(shipped, DEFAULT)
    assert main(["weights", "list"]) == 0
    out, err = capsys.readouterr()
    assert out == f"{DEFAULT}  test of {DEFAULT}\n"
    assert err == "amesh: no face detector installed; `amesh weights import` downloads one\n"
    _save(empty_cache / "weights", "detector-short")
    assert main(["weights", "list"]) == 0
    out, err = capsys.readouterr()
    assert "detector-short  test of" in out
    assert err == ""


def test_pack_halves_a_file_and_says_what_that_moves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, packed = _save(tmp_path, "mine"), tmp_path / "packed.safetensors"
    assert main(["weights", "pack", str(path), "--output", str(packed)]) == 0
    assert packed.stat().st_size < 0.6 * path.stat().st_size
    assert store.header(packed)["origin"] == store.header(path)["origin"]
    assert store.load(packed).config == store.load(path).config
    line = capsys.readouterr().err.strip()
    moved = float(line.split("move by up to ")[1].split(" px of 128 (")[0])
    assert 0 < moved < 0.5


def test_a_detector_is_packed_without_such_a_figure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, packed = tmp_path / "detector.safetensors", tmp_path / "packed.safetensors"
    store.save(build_detector(SHORT), path, {})
    assert main(["weights", "pack", str(path), "--output", str(packed)]) == 0
    assert "landmarks" not in capsys.readouterr().err
    assert packed.stat().st_size < path.stat().st_size
