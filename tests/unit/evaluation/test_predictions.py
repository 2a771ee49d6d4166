import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from amesh.errors import UserError
from amesh.evaluation.labels import Label
from amesh.evaluation.predictions import Predictions, from_records, parse_predictions

Pose = Callable[..., np.ndarray]
MakeLabel = Callable[..., Label]


def _record(source: str, *faces: np.ndarray, **changes: Any) -> dict[str, Any]:
    listed = [{"id": i, "score": 0.9, "landmarks": face.tolist()} for i, face in enumerate(faces)]
    known = {"source": source, "frame": 0, "time": 0.0, "size": [640, 480], "faces": listed}
    return known | changes


def _file(folder: Path, *records: dict[str, Any]) -> Path:
    path = folder / "theirs.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_reads_the_contract_under_a_name(tmp_path: Path, pose: Pose, label: MakeLabel) -> None:
    unreadable = {"source": "b.jpg", "frame": 0, "time": 0.0, "size": None, "error": "truncated"}
    path = _file(tmp_path, _record("a.jpg", pose()), unreadable)
    found = parse_predictions(f"Theirs={path}", 478)
    assert found.name == "Theirs"
    [face] = found.of(label(pose(), "images/a.jpg", size=(640, 480)))
    np.testing.assert_allclose(face, pose())
    assert list(found.of(label(pose(), "images/b.jpg"))) == []
    assert found.failed == {"b.jpg": "truncated"}
    assert parse_predictions(str(path), 478).name == "theirs"


def test_finds_pictures_by_the_end_of_their_path() -> None:
    found = Predictions("theirs", {"x/a.jpg": [], "y/a.jpg": [], "b.jpg": [], "/data/c.jpg": []})
    assert found.find("/data/x/a.jpg") == "x/a.jpg"
    assert found.find("/data/b.jpg") == "b.jpg"
    assert found.find("c.jpg") == "/data/c.jpg"
    assert found.find("/other/c.jpg") is None
    assert found.find("xb.jpg") is None
    with pytest.raises(UserError, match=r"a\.jpg may be x/a\.jpg or y/a\.jpg; give longer paths"):
        found.find("a.jpg")


def test_missing_picture_is_not_taken_for_a_missed_face(pose: Pose, label: MakeLabel) -> None:
    with pytest.raises(UserError, match=r"theirs: no record of a\.jpg \(labels\.jsonl, line 1\)"):
        Predictions("theirs", {"b.jpg": []}).of(label(pose()))


def test_picture_of_another_size_is_refused(pose: Pose, label: MakeLabel) -> None:
    found = from_records("theirs", [_record("a.jpg")], 478)
    with pytest.raises(UserError, match=r"a\.jpg is 640 x 480 px, but the label says 320 x 240"):
        found.of(label(pose(), size=(320, 240)))


def test_bad_records(tmp_path: Path, pose: Pose) -> None:
    with pytest.raises(UserError, match=r"two records of a\.jpg; give predictions on pictures"):
        from_records("theirs", [_record("a.jpg"), _record("a.jpg", frame=1)], 478)
    with pytest.raises(UserError, match=r"a\.jpg has 468 landmarks, expected 478"):
        from_records("theirs", [_record("a.jpg", pose()[:468])], 478)
    with pytest.raises(UserError, match="478 landmarks, expected 478 of"):
        from_records("theirs", [_record("a.jpg", pose()[:, :2])], 478)
    with pytest.raises(UserError, match=r"none\.jsonl"):
        parse_predictions(f"x={tmp_path / 'none.jsonl'}", 478)
    bad = tmp_path / "bad.jsonl"
    bad.write_text("{}\n")
    with pytest.raises(UserError, match=r"bad\.jsonl, line 1"):
        parse_predictions(str(bad), 478)
