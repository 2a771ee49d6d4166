import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.shard_files import ShardWriter
from amesh.errors import UserError
from amesh.evaluation.labels.predictions import Predictions, from_results, parse_predictions

Pose = Callable[..., np.ndarray]
MakeLabel = Callable[..., LabelledFace]


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
    with pytest.raises(UserError, match=r"x/a\.jpg or y/a\.jpg"):
        found.find("a.jpg")


def test_missing_picture_is_not_taken_for_a_missed_face(pose: Pose, label: MakeLabel) -> None:
    with pytest.raises(UserError, match=r"theirs: .*a\.jpg .*line 1"):
        Predictions("theirs", {"b.jpg": []}).of(label(pose()))


def test_picture_of_another_size_is_refused(pose: Pose, label: MakeLabel) -> None:
    found = from_results("theirs", [_record("a.jpg")], 478)
    with pytest.raises(UserError, match=r"a\.jpg is 640 x 480 .*320 x 240"):
        found.of(label(pose(), size=(320, 240)))


def test_bad_records(tmp_path: Path, pose: Pose) -> None:
    with pytest.raises(UserError, match=r"two results for a\.jpg"):
        from_results("theirs", [_record("a.jpg"), _record("a.jpg", frame=1)], 478)
    with pytest.raises(UserError, match=r"a\.jpg has 468 landmarks, expected 478"):
        from_results("theirs", [_record("a.jpg", pose()[:468])], 478)
    with pytest.raises(UserError, match="478 landmarks, expected 478 of"):
        from_results("theirs", [_record("a.jpg", pose()[:, :2])], 478)
    with pytest.raises(UserError, match=r"none\.jsonl"):
        parse_predictions(f"x={tmp_path / 'none.jsonl'}", 478)
    bad = tmp_path / "bad.jsonl"
    bad.write_text("{}\n")
    with pytest.raises(UserError, match=r"bad\.jsonl, line 1"):
        parse_predictions(str(bad), 478)


def _labels(folder: Path, cut: float | None, *faces: tuple[str, np.ndarray]) -> Path:
    """A folder as `amesh label` writes it; None: as it once did, without its rules."""
    file = io.BytesIO()
    Image.new("RGB", (64, 48)).save(file, "PNG")
    with ShardWriter(folder) as writer:
        for key, points in faces:
            known = {"scheme": "face478", "source": "s", "key": key, "where": "here"}
            writer.add(LabelledFace(picture=file.getvalue(), points=points, **known))
    rules = {} if cut is None else {"rules": {"cut": cut}}
    (folder / "labels.json").write_text(json.dumps({"teacher": {}} | rules))
    return folder


def test_a_folder_of_labels_is_read_as_predictions(
    tmp_path: Path, pose: Pose, label: MakeLabel
) -> None:
    first, second = pose(), pose() + 7
    names = "photos/a.jpg#0:0", "photos/a.jpg#0:1", "photos/b.jpg#0:0"
    folder = _labels(tmp_path / "mine", 0.0, *zip(names, (first, second, first), strict=True))
    skipped = {"c": "no face", "d": "unreadable", "a": "dropped"}  # a: labelled after all
    lines = [
        {"key": f"photos/{name}.jpg#0", "reason": why, "detail": f"{why}!"}
        for name, why in skipped.items()
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "skipped-0000.jsonl").write_text(text)
    found = parse_predictions(f"Labels={folder}", 478)
    assert found.name == "Labels"
    faces = found.of(label(pose(), "elsewhere/photos/a.jpg", size=(64, 48)))
    np.testing.assert_allclose(faces, [first, second], atol=1e-3)
    assert len(found.of(label(pose(), "photos/b.jpg"))) == 1
    assert list(found.of(label(pose(), "photos/c.jpg"))) == []
    assert found.failed == {"photos/d.jpg": "unreadable!"}
    with pytest.raises(UserError, match=r"Labels: no record of photos/e\.jpg"):
        found.of(label(pose(), "photos/e.jpg"))  # nobody labelled it
    with pytest.raises(UserError, match=r"b\.jpg is 64 x 48 .*640 x 480"):
        found.of(label(pose(), "photos/b.jpg", size=(640, 480)))


def test_folders_that_do_not_hold_labels_of_whole_pictures_are_refused(
    tmp_path: Path, pose: Pose
) -> None:
    face = pose()
    (tmp_path / "empty").mkdir()
    damaged = _labels(tmp_path / "damaged", 0.0, ("a.jpg#0:0", face))
    (damaged / "labels.json").write_text("{")
    for folder, message in {
        _labels(tmp_path / "cut", 4.0, ("a.jpg#0:0", face)): "label them again with --cut 0",
        _labels(tmp_path / "old", None, ("a.jpg#0:0", face)): "label them again with --cut 0",
        _labels(tmp_path / "clip", 0.0, ("a.mp4#10:0", face)): r"clip: a\.mp4#10:0 is not a face",
        _labels(tmp_path / "other", 0.0, ("a.jpg", face)): r"other: a\.jpg is not a face",
        _labels(tmp_path / "short", 0.0, ("a.jpg#0:0", face[:468])): "has 468 landmarks",
        tmp_path / "empty": r"not a folder that `amesh label` wrote \(no labels\.json\)",
        damaged: r"labels\.json: damaged",
    }.items():
        with pytest.raises(UserError, match=message):
            parse_predictions(str(folder), 478)
