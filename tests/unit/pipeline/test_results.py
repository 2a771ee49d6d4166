"""The JSON Lines contract: what is written, what is refused, and that no half file is left."""

import errno
import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from amesh.errors import UserError
from amesh.pipeline.results import PictureResult, picture_result, read_jsonl, write_jsonl


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
    path = tmp_path / "new" / "out.jsonl"
    lines = [*some(2), picture_result("caf\u00e9 \udcff.jpg", error="unreadable")]
    assert write_jsonl(path, iter(lines)) == 3
    assert list(read_jsonl(path)) == lines
    assert [p.name for p in path.parent.iterdir()] == ["out.jsonl"]
    assert path.read_bytes().count(b"\n") == 3


def test_no_records_give_an_empty_file(tmp_path: Path) -> None:
    assert write_jsonl(tmp_path / "out.jsonl", []) == 0
    assert list(read_jsonl(tmp_path / "out.jsonl")) == []


@pytest.mark.parametrize("error", [RuntimeError("stop"), OSError(errno.EIO, "camera lost")])
def test_a_failure_midway_leaves_the_old_file_and_no_other(
    tmp_path: Path, error: Exception
) -> None:
    def fails() -> Iterator[PictureResult]:
        yield from some(2)
        raise error

    path = tmp_path / "out.jsonl"
    path.write_text("old")
    with pytest.raises(type(error), match=str(error.args[-1])):
        write_jsonl(path, fails())
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["out.jsonl"]


def test_a_full_disk_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"out\.jsonl: .*No space left"):
        write_jsonl(tmp_path / "out.jsonl", some(1))
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_place_is_named_before_any_work(tmp_path: Path) -> None:
    def work() -> Iterator[PictureResult]:
        raise AssertionError("asked for a record")
        yield

    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"out\.jsonl: .*(exists|Not a dir)"):
        write_jsonl(tmp_path / "file" / "out.jsonl", work())
    with pytest.raises(UserError, match="a folder; name a file"):
        write_jsonl(tmp_path, work())


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    link, target = tmp_path / "link.jsonl", tmp_path / "target.jsonl"
    target.touch()
    link.symlink_to(target)
    write_jsonl(link, some(1))
    assert link.is_symlink()
    assert len(list(read_jsonl(target))) == 1


def test_a_device_is_written_to_and_not_replaced() -> None:
    write_jsonl(os.devnull, some(1))
    assert not Path(os.devnull).is_file()


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
