from pathlib import Path

import pytest

from amesh.cli import main
from amesh.evaluation import run
from amesh.evaluation.options import Evaluation, LabelledData
from amesh.evaluation.report import Report
from amesh.evaluation.tables.unreadable import UNREADABLE
from amesh.nn.names import DEFAULT


def test_every_option_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: list[Evaluation] = []

    def record(options: Evaluation) -> Report:
        wanted.append(options)
        return Report({})

    monkeypatch.setattr(run, "run", record)
    words = "evaluate --data a.jsonl shards --format auto --images pictures --scheme ibug68"
    words += " --coordinates index --model A=a.safetensors b --predictions p=p.jsonl --reference b"
    words += " --output out --runtime torch --mediapipe-crop --robustness --video v.mp4 --still 3"
    words += " --smoothing off light"
    words += " --worst 4 --limit 5 --only held_out.txt --without bad.txt"
    assert main(words.split()) == 0
    assert wanted == [
        Evaluation(
            LabelledData(
                (Path("a.jsonl"), Path("shards")),
                "auto",
                Path("pictures"),
                "ibug68",
                "index",
                only=Path("held_out.txt"),
                without=Path("bad.txt"),
            ),
            models=("A=a.safetensors", "b"),
            predictions=("p=p.jsonl",),
            output=Path("out"),
            runtime="torch",
            mediapipe_crop=True,
            reference=("b",),
            robustness=True,
            videos=(Path("v.mp4"),),
            smoothing=("off", "light"),
            still=3,
            worst=4,
            limit=5,
        )
    ]
    assert main(["evaluate", "--data", "a.jsonl", "--no-detector"]) == 0
    assert not wanted[1].detector
    assert wanted[1].model_names == (DEFAULT,)


def test_mistakes_are_reported(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["evaluate", "--output", str(tmp_path)]) == 2
    assert "no data: give at least one labelled set with --data" in capsys.readouterr().err


def test_an_unreadable_picture_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report = Report({}, {UNREADABLE: {"a.png": "a.png: not a picture"}})
    monkeypatch.setattr(run, "run", lambda options: report)
    assert main(["evaluate", "--data", "a.jsonl"]) == 1
    printed = capsys.readouterr()
    assert "a.png: not a picture" in printed.err
    assert printed.out.startswith("# Evaluation")
