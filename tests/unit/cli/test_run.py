"""What `amesh run` says, keeps and resumes; the network itself runs in the integration tests."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from one_face import OneFace
from PIL import Image

from amesh.cli import main, run
from amesh.errors import UserError
from amesh.growing import GrowingFile
from amesh.pipeline import run as pipeline

HINT = "with small faces or none: --detector crowd may find more"


def record(*sides: float) -> dict[str, Any]:
    """A picture of 1000 x 500 px with square faces of these sides."""
    faces = [
        {"id": i, "score": 1.0, "landmarks": [[0.0, 0.0, 0.0], [side, side, 900.0]]}
        for i, side in enumerate(sides)
    ]
    return {"source": "a.jpg", "frame": 0, "time": 0.0, "size": [1000, 500], "faces": faces}


def say(
    records: Sequence[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *words: str
) -> int:
    def run_pictures(*_: object) -> Iterator[dict[str, Any]]:
        yield from records

    picture = tmp_path / "a.jpg"
    picture.touch()
    monkeypatch.setattr(run, "open_face_mesh", lambda _: None)
    monkeypatch.setattr(pipeline, "run_pictures", run_pictures)
    return main(["run", *[str(picture)] * len(records), *words])


@pytest.mark.parametrize(
    ("sides", "hinted"), [((), True), ((300.0, 69.0), True), ((300.0, 71.0), False)]
)
def test_small_faces_are_a_reason_to_try_the_crowd_detector(
    sides: tuple[float, ...],
    hinted: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert say([record(*sides), record(400.0)], tmp_path, monkeypatch) == 0
    assert (f"1 picture {HINT}" in capsys.readouterr().err) == hinted


@pytest.mark.parametrize("words", [("--detector", "crowd"), ("--max-faces", "1")])
def test_who_has_chosen_is_not_advised(
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert say([record()], tmp_path, monkeypatch, *words) == 0
    assert capsys.readouterr().err == "0 faces in 1 picture\n"


def test_a_picture_that_cannot_be_read_says_nothing_of_its_faces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = {"source": "a.jpg", "frame": 0, "time": 0.0, "size": None, "error": "a.jpg: damaged"}
    assert say([broken, record(400.0)], tmp_path, monkeypatch) == 1
    assert capsys.readouterr().err == "amesh: a.jpg: damaged\n1 face in 1 picture\n"


@pytest.mark.parametrize("name", ["faces.csv", "faces.json", "faces.PNG", "faces.parquet"])
def test_a_name_that_promises_another_format_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "a.jpg", "--output", str(tmp_path / name)]) == 2
    assert f"{name}: the records are JSON lines" in capsys.readouterr().err


def test_a_dash_is_no_file(tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", "a.jpg", "--output", "-"]) == 2
    assert "--output - would be a file named -; /dev/stdout is" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["faces.jsonl", "faces.ndjson", "faces"])
def test_other_names_are_taken(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / name
    assert say([record(400.0)], tmp_path, monkeypatch, "--output", str(output)) == 0
    assert output.read_text().count("\n") == 1


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six pictures, one of them damaged; in each of the others one face is found."""
    monkeypatch.setattr(run, "open_face_mesh", lambda _: OneFace())
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    for name in ["a.png", "b.png", "c.png", "deep/a.png", "deep/b.png"]:
        Image.new("RGB", (64, 48)).save(folder / name)
    (folder / "bad.png").write_text("no picture")
    return folder


def sources(path: Path) -> list[str]:
    return [json.loads(line)["source"] for line in path.read_bytes().splitlines()]


ALL = ["a.png", "b.png", "bad.png", "c.png", "deep/a.png", "deep/b.png"]


def interrupted_after(pictures: int, folder: Path, output: Path, *words: str) -> None:
    """Runs, with Ctrl-C in a picture; one by one, as the order of threads is left to chance."""
    words = (*words, "--output", str(output), "--workers", "1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "open_face_mesh", lambda _: OneFace(pictures))
        assert main(["run", str(folder), *words]) == 130


def test_an_interrupted_run_is_resumed(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "faces.jsonl"
    interrupted_after(2, folder, output)
    assert "faces.jsonl.part; continue with --resume" in capsys.readouterr().err
    assert sources(tmp_path / "faces.jsonl.part") == ALL[:3]
    assert not output.exists()
    assert main(["run", str(folder), "--output", str(output)]) == 2
    assert "holds the results of an interrupted run" in capsys.readouterr().err
    assert main(["run", str(folder), "--output", str(output), "--resume"]) == 1
    error = capsys.readouterr().err
    assert "3 pictures done before" in error
    assert "5 faces in 5 pictures" in error  # of both runs
    assert sources(output) == ALL
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["faces.jsonl"]


def test_a_finished_run_is_not_repeated(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "faces.jsonl"
    words = ["run", str(folder), "--output", str(output), "--resume"]
    assert main(words) == 1
    before = output.stat().st_mtime_ns
    assert main(words) == 1
    assert "finished already" in capsys.readouterr().err
    assert output.stat().st_mtime_ns == before
    Image.new("RGB", (8, 8)).save(folder / "new.png")
    assert main(words) == 2
    assert "is finished, without new.png" in capsys.readouterr().err


def test_a_resumed_run_takes_new_pictures_and_repeats_none(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "faces.jsonl"
    interrupted_after(2, folder, output)
    Image.new("RGB", (8, 8)).save(folder / "ant.png")
    main(["run", str(folder), "--output", str(output), "--resume"])
    assert sources(output) == [*ALL[:3], "ant.png", *ALL[3:]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--max-faces", "3"], "--max-faces None, now it is 3"),
        (["--min-score", "0.4"], "--min-score 0.5, now it is 0.4"),
        (["--detector", "crowd"], "--detector None, now it is crowd"),
        (["--runtime", "torch"], "--runtime auto, now it is torch"),
        (["--max-pixels", "1000000"], "--max-pixels 178000000, now it is 1000000"),
        (["--draw", "overlays"], "--draw None, now it is "),
        (["--scale", "2"], "--scale 1, now it is 2"),
    ],
)
def test_other_options_do_not_resume_a_run(
    words: list[str],
    message: str,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "faces.jsonl"
    interrupted_after(2, folder, output)
    assert main(["run", str(folder), "--output", str(output), "--resume", *words]) == 2
    assert message in capsys.readouterr().err
    assert sources(tmp_path / "faces.jsonl.part") == ALL[:3]


def test_equal_names_in_another_folder_do_not_resume_a_run(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "faces.jsonl"
    interrupted_after(2, folder, output)
    assert main(["run", str(folder / "deep"), "--output", str(output), "--resume"]) == 2
    assert "was begun with the folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--draw", "drawn"], "--draw-confidence: one-face predicts no errors"),
        (["--draw", "drawn", "--effect", "mesh"], "both say what to draw; give one"),
        ([], "--draw-confidence says how overlays look; name their folder with --draw"),
    ],
)
def test_a_confidence_that_is_not_there_is_not_drawn(
    words: list[str],
    message: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder.parent)
    assert main(["run", str(folder / "a.png"), "--draw-confidence", *words]) == 2
    assert message in capsys.readouterr().err
    assert not Path("drawn").exists()


def test_a_field_of_view_without_an_effect_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(folder / "a.png"), "--fov", "60"]) == 2
    assert "--fov is for effects that measure; name one" in capsys.readouterr().err


def test_resuming_needs_a_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(folder), "--resume"]) == 2
    assert "--resume continues the file of --output" in capsys.readouterr().err


def test_a_full_disk_keeps_what_was_written(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write, written = GrowingFile.add, []

    def add(self: GrowingFile, line: bytes) -> None:
        if len(written) == 2:
            raise UserError(f"{self.path}: cannot be written (No space left on device)")
        written.append(line)
        write(self, line)

    monkeypatch.setattr(GrowingFile, "add", add)
    output = tmp_path / "faces.jsonl"
    assert main(["run", str(folder), "--output", str(output)]) == 2
    assert capsys.readouterr().err.strip().endswith("(No space left on device)")
    assert sources(tmp_path / "faces.jsonl.part") == ALL[:2]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_device_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(folder), "--output", "/dev/full"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line == "amesh: /dev/full: cannot be written (No space left on device)"
