"""`amesh effects`."""

from pathlib import Path

import pytest

from amesh.benchmark import effects
from amesh.cli import main
from amesh.evaluation import blendshapes as grading
from amesh.training import blendshapes as training


def test_benchmark_prints_and_writes_its_report(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(effects, "describe", lambda picture, rounds: f"{picture} {rounds}\n")
    output = tmp_path / "speed.md"
    words = ["effects", "benchmark", "a.jpg", "--rounds", "3", "--output", str(output)]
    assert main(words) == 0
    assert capsys.readouterr().out == output.read_text() == "a.jpg 3\n"


def test_train_passes_on_its_options(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given: list[tuple[object, ...]] = []

    def train(*arguments: object) -> int:
        given.append(arguments)
        return 12

    monkeypatch.setattr(training, "train", train)
    words = "effects train shards --ict i.npz --output o.npz --synthetic 5 --epochs 2"
    assert main(words.split()) == 0
    assert given == [(Path("shards"), Path("i.npz"), Path("o.npz"), 5, 2)]
    assert capsys.readouterr().err == "o.npz: learnt from 12 faces\n"


def test_grade_prints_its_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(grading, "grade_blendshapes", lambda *given: f"{given}\n")
    assert main(["effects", "grade", "r.jsonl", "--ict", "i.npz", "--grades", "g.json"]) == 0
    expected = (Path("r.jsonl"), Path("i.npz"), Path("g.json"), None)
    assert capsys.readouterr().out == f"{expected}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("train . --ict i.npz --output o.bin", "o.bin: give a name that ends in .npz"),
        ("train . --ict i.npz --output o.npz", "i.npz: cannot be read as ICT-FaceKit's shapes"),
        ("grade no.jsonl --ict i.npz", "no.jsonl: no such file"),
        ("benchmark no.jpg", "no.jpg: "),
    ],
)
def test_mistakes_are_one_line(
    words: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["effects", *words.split()]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"amesh: {message}")
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words",
    [
        "train . --ict i.npz --output folder.npz",
        "grade r.jsonl --ict i.npz --grades folder.npz",
        "grade r.jsonl --ict i.npz --output folder.npz",
        "benchmark a.jpg --output folder.npz",
    ],
)
def test_outputs_are_checked_before_the_work(
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.npz").mkdir()
    assert main(["effects", *words.split()]) == 2
    assert capsys.readouterr().err == "amesh: folder.npz: a folder; name a file to write to\n"
