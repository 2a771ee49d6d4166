"""The JSON Lines contract: what is written, and what is refused."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from amesh.errors import UserError
from amesh.json_lines import parse
from amesh.pipeline.results import (
    PictureResult,
    ResultBrief,
    picture_result,
    read_jsonl,
    to_line,
)


@dataclass
class Face:
    id: int = 3
    score: float = 0.98765432
    landmarks: np.ndarray = field(
        default_factory=lambda: np.array([[1.23456, -0.0001, 2.0]], np.float32)
    )


def some(n: int) -> list[PictureResult]:
    return [picture_result("clip.mp4", i, i / 30, (640, 480), [Face()]) for i in range(n)]


def test_a_record_is_the_documented_object() -> None:
    assert picture_result("a.jpg", 2, 1 / 3, (640, 480), [Face()]) == {
        "source": "a.jpg",
        "frame": 2,
        "time": 0.333333,
        "size": [640, 480],
        "faces": [{"id": 3, "score": 0.9877, "landmarks": [[1.235, 0.0, 2.0]]}],
    }


def test_a_face_has_its_confidence_if_the_network_has_it(tmp_path: Path) -> None:
    face = Face()
    face.confidence = np.array([0.98765], np.float32)  # type: ignore[attr-defined]
    line = picture_result("a.jpg", size=(640, 480), faces=[face])
    assert line["faces"][0]["confidence"] == [0.988]
    (tmp_path / "a.jsonl").write_text(to_line(line), encoding="ascii")
    assert list(read_jsonl(tmp_path / "a.jsonl")) == [line]
    face.confidence = None  # type: ignore[attr-defined]
    assert "confidence" not in picture_result("a.jpg", size=(640, 480), faces=[face])["faces"][0]


def test_no_face_is_an_empty_list_and_an_error_replaces_faces() -> None:
    assert picture_result("a.jpg", size=(2, 1), faces=[])["faces"] == []
    assert picture_result("b.jpg", error="b.jpg: the file is empty") == {
        "source": "b.jpg",
        "frame": 0,
        "time": 0.0,
        "size": None,
        "error": "b.jpg: the file is empty",
    }


def test_negative_zero_is_written_as_zero() -> None:
    line = picture_result("a.jpg", size=(2, 1), faces=[Face()])
    assert math.copysign(1, line["faces"][0]["landmarks"][0][1]) == 1


@pytest.mark.parametrize(
    "given",
    [{}, {"faces": [], "error": "x", "size": (1, 1)}, {"faces": []}, {"size": (1, 1)}],
)
def test_exactly_one_of_faces_and_error(given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"a\.jpg: .*size and faces"):
        picture_result("a.jpg", **given)  # type: ignore[arg-type]


def test_a_number_that_json_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="finite number, found nan"):
        picture_result(
            "a.jpg", size=(2, 1), faces=[Face(landmarks=np.full((1, 3), np.nan, np.float32))]
        )


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    lines = [*some(2), picture_result("caf\u00e9 \udcff.jpg", error="unreadable")]
    path.write_text("".join(to_line(line) + "\n" for line in lines), encoding="ascii")
    assert list(read_jsonl(path)) == lines


def test_a_brief_is_what_the_line_says() -> None:
    [line] = some(1)
    brief = parse(to_line(line).encode(), ResultBrief, "here")
    assert (brief.source, len(brief.faces or ()), brief.error) == ("clip.mp4", 1, None)
    failed = picture_result("\udcff.jpg", error="unreadable")
    brief = parse(to_line(failed).encode(), ResultBrief, "here")
    assert (brief.source, brief.faces, brief.error) == ("\udcff.jpg", None, "unreadable")


GOOD = {"source": "a.jpg", "frame": 0, "time": 0.0, "size": [4, 3], "faces": []}
FACE = {"id": 0, "score": 0.5, "landmarks": [[1, 2, 3]]}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"source": "a.jp', "line 3: not JSON"),
        ("[1]", "line 3: expected `object`"),
        (json.dumps(GOOD | {"time": float("nan")}), "line 3: time: expected `float`, got `null`"),
        (json.dumps(GOOD | {"size": [4]}), "line 3: size: expected `array`"),
        (json.dumps(GOOD | {"size": [4, 0]}), "line 3: size.*: expected `int`"),
        (json.dumps(GOOD | {"frame": True}), "line 3: frame: expected `int`"),
        (json.dumps(GOOD | {"source": None}), "line 3: source: expected `str`"),
        (json.dumps(GOOD | {"error": "both"}), "line 3: expected either"),
        (json.dumps({k: v for k, v in GOOD.items() if k != "faces"}), "line 3: expected either"),
        (json.dumps({k: v for k, v in GOOD.items() if k != "size"}), "line 3: .*missing .*`size`"),
        (json.dumps(GOOD | {"faces": [{}]}), "line 3: faces.*: .*missing"),
        (json.dumps(GOOD | {"faces": [FACE | {"landmarks": [[1]]}]}), "line 3: faces.*landmarks"),
        (
            json.dumps(GOOD | {"faces": [FACE | {"score": "high"}]}),
            "line 3: faces.*score: expected",
        ),
    ],
)
def test_a_bad_line_is_named_by_its_number(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(f"{json.dumps(GOOD)}\n\n{line}\n{json.dumps(GOOD)}\n")
    with pytest.raises(UserError, match=message) as error:
        list(read_jsonl(path))
    assert str(error.value).startswith(f"{path}, line 3")
    assert "\n" not in str(error.value)


def test_bytes_that_are_no_text_are_named_by_their_line(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_bytes(b"\xff\xfe\n")
    with pytest.raises(UserError, match="UTF-16 text"):
        list(read_jsonl(tmp_path / "in.jsonl"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.jsonl: no such file"):
        list(read_jsonl(tmp_path / "none.jsonl"))
