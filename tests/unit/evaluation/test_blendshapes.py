"""Grades and tables of blendshapes."""

import json
from pathlib import Path

import numpy as np
import pytest

from amesh.effects.blendshapes import NAMES
from amesh.effects.canonical import canonical_face
from amesh.errors import UserError
from amesh.evaluation import blendshapes
from amesh.evaluation.blendshapes import (
    PROGRAMS,
    Clip,
    correlation,
    grade,
    grade_blendshapes,
    read_clips,
    still_step,
)

JAW, FROWN = NAMES.index("jawOpen"), NAMES.index("mouthFrownLeft")


def test_correlation() -> None:
    t = np.linspace(0, 1, 20)
    assert correlation(t, 3 - 2 * t) == pytest.approx(-1)
    assert correlation(t, np.ones(20)) == 0


def test_steps_count_while_the_face_is_still() -> None:
    landmarks = np.zeros((5, 478, 3))
    landmarks[3:] = 9
    values = np.zeros((5, 52))
    values[2, JAW] = 0.51
    values[3:] = 1
    # Of four steps, the three smallest movements are nought: jawOpen rises in one of them.
    assert still_step(landmarks, values) == pytest.approx(0.51 / 51 / 3)


class Stand:
    """A network whose features are the values."""

    def values(self, x: np.ndarray) -> np.ndarray:
        return x


def test_grades(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(size=(50, 51))
    found = truth.astype(np.float32)
    found[:, FROWN] = rng.uniform(size=50)  # it does not know this one
    monkeypatch.setattr(blendshapes, "read_network", Stand)
    monkeypatch.setattr(blendshapes, "read_model", lambda _: None)
    monkeypatch.setattr(blendshapes, "synthetic_faces", lambda *_, **__: (found, truth))
    moving = np.zeros((30, 52))
    moving[:, [JAW, FROWN]] = np.linspace(0, 1, 30)[:, None]
    clip = Clip(np.zeros((30, 478, 3)), dict.fromkeys(PROGRAMS, moving))
    grades = grade({"a.mp4": clip}, tmp_path)
    assert grades["jawOpen"] == {"grade": "measured", "synthetic": 1.0, "clips": 1.0}
    assert grades["mouthFrownLeft"]["grade"] == "estimated"
    # Face Landmarker never moves it in the clips, so nothing can be said.
    assert grades["cheekPuff"] == {"grade": "estimated", "synthetic": 1.0, "clips": None}
    assert grades["tongueOut"] == {"grade": "absent"}


def test_grades_and_report_are_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    moving = np.linspace(0, 1, 30)[:, None] * np.ones(52)
    clip = Clip(np.tile(canonical_face().points, (30, 1, 1)), dict.fromkeys(PROGRAMS, moving))
    one = {"grade": "measured", "synthetic": 0.95, "clips": None}
    monkeypatch.setattr(blendshapes, "read_clips", lambda _: {"a.mp4": clip})
    monkeypatch.setattr(blendshapes, "grade", lambda *_: dict.fromkeys(NAMES, one))
    monkeypatch.setattr(blendshapes, "synthetic_people_at_rest", lambda _: np.array([0.01, 0.03]))
    grades, report = tmp_path / "grades.json", tmp_path / "report.md"
    text = grade_blendshapes(tmp_path / "r.jsonl", tmp_path / "ict.npz", grades, report)
    assert report.read_text() == text
    assert "52 names are *measured*" in text
    assert "is 0.020 in the median person, and 0.030 at most" in text
    assert json.loads(grades.read_text())["jawOpen"] == one


def test_records_without_blendshapes_are_refused(tmp_path: Path) -> None:
    records = tmp_path / "records.jsonl"
    face = {"landmarks": canonical_face().points.tolist()}
    records.write_text(json.dumps({"source": "a.mp4", "faces": [face]}) + "\n")
    with pytest.raises(UserError, match="no blendshapes in it"):
        read_clips(records)
    records.write_text(json.dumps({"source": "a.mp4", "faces": []}) + "\n")
    with pytest.raises(UserError, match="no faces in it"):
        read_clips(records)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", r"records\.jsonl, line 1: not JSON"),
        ('{"source": "a.mp4", "frame": 0, "error": "damaged"}', "missing required field `faces`"),
        ('{"source": "a.mp4", "faces": [{"landmarks": [[1, 2, 3]]}]}', "length >= 478"),
    ],
)
def test_other_records_are_refused(text: str, message: str, tmp_path: Path) -> None:
    records = tmp_path / "records.jsonl"
    records.write_text(text + "\n")
    with pytest.raises(UserError, match=message):
        read_clips(records)
