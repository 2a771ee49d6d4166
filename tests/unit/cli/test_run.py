"""What `amesh run` says besides the records; the network itself runs in the integration tests."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from amesh.cli import main, run
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


@pytest.mark.parametrize("name", ["faces.jsonl", "faces.ndjson", "faces"])
def test_other_names_are_taken(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / name
    assert say([record(400.0)], tmp_path, monkeypatch, "--output", str(output)) == 0
    assert output.read_text().count("\n") == 1
