"""`amesh run` on a real picture, with the released weights."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from clips import write_clip
from PIL import Image

from amesh.cli import main
from amesh.pipeline.video import open_source

pytestmark = pytest.mark.weights


@pytest.fixture
def portrait(astronaut: np.ndarray, tmp_path: Path) -> Path:
    path = tmp_path / "portrait.png"
    Image.fromarray(astronaut).save(path)
    return path


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_run_writes_records_and_overlays(portrait: Path, tmp_path: Path, capsys):
    out, overlays = tmp_path / "faces.jsonl", tmp_path / "overlays"
    assert main(["run", str(portrait), "--output", str(out), "--draw", str(overlays)]) == 0
    [record] = lines(out)
    assert record["source"] == str(portrait)
    assert record["size"] == [512, 512]
    assert [len(face["landmarks"]) for face in record["faces"]] == [478]
    with Image.open(overlays / "portrait.png.png") as overlay, Image.open(portrait) as picture:
        assert overlay.size == picture.size
        changed = np.abs(np.asarray(overlay).astype(int) - np.asarray(picture)).max(-1) > 20
    rows, columns = np.nonzero(changed)
    points = np.array(record["faces"][0]["landmarks"])
    assert abs(columns.min() - points[:, 0].min()) < 8
    assert abs(rows.max() - points[:, 1].max()) < 8
    assert "1 face in 1 picture" in capsys.readouterr().err


def test_a_bad_picture_among_good_ones_is_reported_and_the_others_done(
    portrait: Path, tmp_path: Path, capsys
):
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    portrait.rename(folder / "deep" / "good.png")
    (folder / "text.jpg").write_text("no picture")
    (folder / "empty.png").touch()
    Image.new("RGB", (1, 1)).save(folder / "tiny.png")
    half = (folder / "deep" / "good.png").read_bytes()[:200_000]
    (folder / "half.png").write_bytes(half)
    out = tmp_path / "faces.jsonl"
    assert main(["run", str(folder), "--output", str(out)]) == 1
    found = {record["source"]: record for record in lines(out)}
    assert list(found) == sorted(found)
    assert len(found["deep/good.png"]["faces"]) == 1
    assert found["tiny.png"]["faces"] == []
    assert {name for name, record in found.items() if "error" in record} == {
        "text.jpg",
        "empty.png",
        "half.png",
    }
    errors = capsys.readouterr().err
    assert errors.count("amesh: ") == 3
    assert "Traceback" not in errors


def test_the_exit_code_is_two_if_nothing_could_be_processed(tmp_path: Path, capsys):
    path = tmp_path / "text.jpg"
    path.write_text("no picture")
    assert main(["run", str(path)]) == 2
    record = json.loads(capsys.readouterr().out)
    assert "text.jpg" in record["error"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["gone.jpg"], "gone.jpg: no such file or folder"),
        (["{portrait}", "--model", "mobile-face"], "no weights named 'mobile-face'; installed: "),
        (["{portrait}", "--output", "{portrait}/faces.jsonl"], "cannot be written"),
        (["{portrait}", "--draw", "{portrait}/overlays"], "cannot be written"),
    ],
)
def test_a_mistake_is_one_line(words: list[str], message: str, portrait: Path, capsys):
    words = [word.format(portrait=portrait) for word in words]
    assert main(["run", *words]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert error.startswith("amesh: ")
    assert "\n" not in error


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(portrait: Path, tmp_path: Path, capsys):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    assert main(["run", str(portrait), "--output", str(folder / "faces.jsonl")]) == 2
    assert "cannot be written (Permission denied)" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may enter every folder")
def test_a_folder_without_permission(tmp_path: Path, capsys):
    (tmp_path / "locked").mkdir(mode=0)
    assert main(["run", str(tmp_path / "locked" / "a.png")]) == 2
    assert "Permission denied" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["{portrait}", "--draw", "{portrait}"],
        ["{portrait}", "--output", "{link}"],
    ],
)
def test_a_source_is_never_overwritten(words: list[str], portrait: Path, capsys):
    before = portrait.read_bytes()
    link = portrait.with_suffix(".jsonl")  # another name for the picture
    link.symlink_to(portrait)
    names = {"folder": portrait.parent, "portrait": portrait, "link": link}
    assert main(["run", *(word.format(**names) for word in words)]) == 2
    assert "would overwrite" in capsys.readouterr().err
    assert portrait.read_bytes() == before


@pytest.mark.parametrize("suffix", [".heic", ".jfif", ".xyz", ".pgm"])
def test_an_overlay_in_a_format_that_cannot_be_written(portrait: Path, tmp_path, suffix, capsys):
    assert main(["run", str(portrait), "--draw", str(tmp_path / f"over{suffix}")]) == 2
    assert "give a folder, or a file in .png, .jpg" in capsys.readouterr().err


def test_pictures_of_several_folders_keep_their_folders(portrait: Path, tmp_path: Path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").write_bytes(portrait.read_bytes())
    out = tmp_path / "faces.jsonl"
    assert main(["run", str(tmp_path / "a"), str(tmp_path / "b"), "--output", str(out)]) == 0
    sources = [record["source"] for record in lines(out)]
    assert sources == [str(tmp_path / "a" / "x.png"), str(tmp_path / "b" / "x.png")]


def test_workers_change_no_byte(astronaut: np.ndarray, tmp_path: Path):
    folder = tmp_path / "folder"
    folder.mkdir()
    for i in range(10):
        picture = np.roll(astronaut, 30 * i, axis=1)[: 512 - 20 * i]
        Image.fromarray(picture).save(folder / f"{i}.jpg")
    (folder / "text.jpg").write_text("no picture")
    for workers in (1, 3):
        words = ["--workers", str(workers), "--output", str(tmp_path / f"{workers}.jsonl")]
        assert main(["run", str(folder), *words]) == 1
    assert len(lines(tmp_path / "1.jsonl")) == 11
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "3.jsonl").read_bytes()


def test_weights_are_listed_and_found(capsys):
    assert main(["weights", "list"]) == 0
    words = [line.split()[:3] for line in capsys.readouterr().out.splitlines()]
    assert ["released-192", "mediapipe", "0.10.21,"] in words
    assert main(["weights", "path", "released-192"]) == 0
    assert capsys.readouterr().out.strip().endswith("released-192.safetensors")
    assert main(["info", "released-192"]) == 0
    assert "1,189,277" in capsys.readouterr().out


def test_a_face_is_followed_through_a_clip(astronaut: np.ndarray, tmp_path: Path) -> None:
    pytest.importorskip("av")
    frames = [np.roll(astronaut, 3 * i, axis=1)[:400] for i in range(12)]
    clip = write_clip(tmp_path / "clip.mp4", frames, options={"crf": "10"})
    out, drawn = tmp_path / "faces.jsonl", tmp_path / "overlay.mp4"
    words = ["run", str(clip), "--smoothing", "off", "--output", str(out), "--draw", str(drawn)]
    assert main(words) == 0
    records = lines(out)
    assert [record["time"] for record in records] == pytest.approx(np.arange(12) / 25, abs=1e-3)
    assert [face["id"] for record in records for face in record["faces"]] == [0] * 12
    points = np.array([record["faces"][0]["landmarks"] for record in records])[..., :2]
    moved = points - points[0] - np.stack([3 * np.arange(12), np.zeros(12)], 1)[:, None]
    assert np.abs(moved.mean(axis=1)).max() < 0.5  # of 60 px from eye to eye
    with open_source(drawn) as source:
        assert sum(1 for _ in source) == 12
