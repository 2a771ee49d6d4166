import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.manifest import read_manifest, read_pictures
from amesh.data.sources.problems import Problems
from amesh.errors import UserError

GOOD: dict[str, Any] = {
    "image": "images/a.jpg",
    "source": "ours",
    "licence": "CC0",
    "scheme": "ibug68",
    "coordinates": "corner",
    "points": [[1.0, 2.0], [3.0, 4.5]],
}
BARE = {"image": "a.jpg", "source": "ours", "licence": "CC0", "scheme": None}


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in GOOD.items() if name != key}


def write(folder: Path, *lines: object) -> Path:
    path = folder / "labels.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return path


def read(folder: Path, *lines: object, **options: Any) -> Sequence[LabelledFace]:
    return read_manifest(write(folder, *lines), Problems(), **options).faces


def test_reads_all_fields_of_a_line(tmp_path: Path) -> None:
    line = GOOD | {"width": 640, "height": 480, "yaw": -12.5, "person": 7, "split": "test"}
    [face] = read(tmp_path, line | {"group": {"b": "x", "a": "y"}, "weights": [0.5, 1]})
    assert face.picture == face.image == tmp_path / "images/a.jpg"
    assert (face.source, face.licence, face.scheme) == ("ours", "CC0", "ibug68")
    assert (face.size, face.yaw, face.person) == ((640, 480), -12.5, "7")
    assert (face.split, face.group, face.key) == ("test", "a y, b x", "images/a.jpg#1")
    assert face.points.tolist() == [[1.0, 2.0], [3.0, 4.5]]
    assert face.weights()[0].tolist() == [0.5, 1.0]


@pytest.mark.parametrize(("kind", "shift"), [("corner", 0.0), ("index", 0.5), ("one", -0.5)])
def test_coordinates_become_corner_coordinates(tmp_path: Path, kind: str, shift: float) -> None:
    flat = GOOD | {"coordinates": kind}
    deep = flat | {"points": [[1.0, 2.0, 3.0]]}
    box = BARE | {"coordinates": kind, "face": False, "box": [0, 0, 9, 8]}
    first, second, third = read(tmp_path, flat, deep, box)
    assert first.points.tolist() == [[1 + shift, 2 + shift], [3 + shift, 4.5 + shift]]
    assert second.points.tolist() == [[1 + shift, 2 + shift, 3.0]]  # depth has no pixel centre
    assert third.box == (shift, shift, 9 + shift, 8 + shift)


def test_coordinates_option_applies_only_to_lines_without_the_key(tmp_path: Path) -> None:
    first, second = read(tmp_path, without("coordinates"), GOOD, coordinates="index")
    assert first.points[0].tolist() == [1.5, 2.5]
    assert second.points[0].tolist() == [1.0, 2.0]


def test_face_without_points_needs_no_coordinates(tmp_path: Path) -> None:
    faces = read(tmp_path, BARE, "", BARE | {"points": None})
    assert [face.points.shape for face in faces] == [(0, 2), (0, 2)]


def as_nan(line: dict[str, Any]) -> str:
    return json.dumps(line).replace("4.5", "NaN")


BAD = {
    "not JSON": ("{", "line 2: not JSON"),
    "a list": ([1], "line 2: expected `object`, got `array`"),
    "no image": (without("image"), "line 2: .*missing .*`image`"),
    "no source": (without("source"), "line 2: .*missing .*`source`"),
    "no licence": (without("licence"), "line 2: .*missing .*`licence`"),
    "no scheme": (without("scheme"), "line 2: .*missing .*`scheme`"),
    "no coordinates": (without("coordinates"), "line 2: `coordinates`.*--coordinates"),
    "odd coordinates": (GOOD | {"coordinates": "matlab"}, "line 2: coordinates: .*'matlab'"),
    "image a number": (GOOD | {"image": 5}, "line 2: image: expected `str`"),
    "source null": (GOOD | {"source": None}, "line 2: source: expected `str`"),
    "no points": (without("points"), "line 2: scheme 'ibug68', but no `points`"),
    "points, no scheme": (GOOD | {"scheme": None}, "line 2: has `points` but no `scheme`"),
    "flat points": (GOOD | {"points": [1, 2]}, r"line 2: points\[0\]: expected `array"),
    "ragged points": (GOOD | {"points": [[1, 2], [3]]}, "line 2: `points` must be a list"),
    "points of text": (GOOD | {"points": [["a", "b"]]}, "line 2: points.*: expected `float"),
    "points an object": (GOOD | {"points": {"x": 1}}, "line 2: points: expected `array"),
    "a hole": (GOOD | {"points": [[1, 2], [None, 2]]}, "line 2: point 1 .*give it weight 0"),
    "NaN": (as_nan(GOOD), "line 2: point 1 has a null coordinate"),
    "a hole that counts": (GOOD | {"points": [None, [1, 2]], "weights": [1, 1]}, "point 0 has"),
    "width of text": (GOOD | {"width": "640"}, "line 2: width: expected `int"),
    "few weights": (GOOD | {"weights": [1.0]}, "line 2: `weights` has 1 numbers for 2"),
    "large weight": (GOOD | {"weights": [1, 2]}, r"line 2: weights\[1\]: expected .* <= 1"),
    "box": (BARE | {"coordinates": "one", "box": [5, 5, 1, 1]}, r"line 2: `box` must be \[left"),
    "two licences": (GOOD | {"license": "MIT"}, "line 2: `licence` and `license` differ"),
    "deep": ('{"more": ' + "[" * 100_000, "line 2: .*nested too deeply"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_line_is_named(tmp_path: Path, case: str) -> None:
    line, message = BAD[case]
    with pytest.raises(UserError, match=message):
        read(tmp_path, GOOD, line, GOOD)
    problems = Problems("skip")
    assert len(read_manifest(write(tmp_path, GOOD, line, GOOD), problems)) == 2
    assert len(problems.messages) == 1


def test_bad_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_manifest(tmp_path / "none.jsonl", Problems())
    with pytest.raises(UserError, match="a folder; give the JSONL"):
        read_manifest(tmp_path, Problems())
    with pytest.raises(UserError, match="no labelled face in it"):
        read(tmp_path, "")
    path = tmp_path / "image.jpg"
    for content, message in (
        (b"\xff\xd8\xff\xe0\x80", "line 1: not UTF-8 text"),
        (json.dumps(GOOD).encode("utf-16"), "UTF-16 text; save it as UTF-8"),
    ):
        path.write_bytes(content)
        with pytest.raises(UserError, match=message):
            read_manifest(path, Problems())


def test_byte_order_mark_and_windows_line_ends_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + f"{json.dumps(GOOD)}\r\n\r\n".encode() * 2)
    assert [face.key[-2:] for face in read_manifest(path, Problems()).faces] == ["#1", "#3"]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0b", "\x1c"])
def test_only_a_newline_ends_a_line(tmp_path: Path, separator: str) -> None:
    name = f"a{separator}b.jpg"
    line = GOOD | {"image": name, "person": f"Jos{separator}e"}
    faces = read(tmp_path, json.dumps(line, ensure_ascii=False), line)
    assert [face.image.name for face in faces] == [name] * 2
    assert [face.person for face in faces] == [f"Jos{separator}e"] * 2


def test_file_names_that_are_not_text_are_read(tmp_path: Path) -> None:
    [face] = read(tmp_path, GOOD | {"image": "caf\udce9.jpg"})
    assert face.image.name == "caf\udce9.jpg"


def test_empty_texts_are_unknown_values(tmp_path: Path) -> None:
    line = GOOD | {"person": "", "split": "", "group": {"age": "", "sex": "f"}}
    [face] = read(tmp_path, line)
    assert (face.person, face.split, face.group) == (None, None, "sex f")
    [picture] = read_pictures(write(tmp_path, BARE | {"source": "", "licence": "", "group": ""}))
    assert (picture.source, picture.licence, picture.group) == (tmp_path.name, None, "")


@pytest.mark.parametrize("missing", [None, [None, None, None], [float("nan"), 1, 2]], ids=str)
def test_null_points_of_weight_0_are_missing(tmp_path: Path, missing: object) -> None:
    line = GOOD | {"points": [[1, 2, 3], missing, [5, 6, 7]], "weights": [1, 0, 0.5]}
    [face] = read(tmp_path, line)
    assert np.isfinite(face.points).all()
    assert face.points[[0, 2]].tolist() == [[1, 2, 3], [5, 6, 7]]
    assert [weight.tolist() for weight in face.weights()] == [[1, 0, 0.5], [1, 0, 1]]


def test_a_null_depth_needs_weight_0_of_its_own(tmp_path: Path) -> None:
    line = GOOD | {"points": [[1, 2, 3], [4, 5, None]]}
    with pytest.raises(UserError, match="point 1 has a null coordinate"):
        read(tmp_path, line)
    [face] = read(tmp_path, line | {"weights_z": [1, 0]})
    assert face.weights()[1].tolist() == [1, 0]


@pytest.mark.parametrize("known", [{"license": "MIT"}, {"licence": "MIT", "license": "MIT"}])
def test_american_spelling_is_accepted(tmp_path: Path, known: dict[str, str]) -> None:
    [face] = read(tmp_path, without("licence") | known)
    assert face.licence == "MIT"
    [picture] = read_pictures(write(tmp_path, {"image": "a.jpg"} | known), "CC0")
    assert picture.licence == "MIT"


def test_two_spellings_must_agree_in_a_manifest_of_pictures_too(tmp_path: Path) -> None:
    path = write(tmp_path, {"image": "a.jpg", "licence": "CC0", "license": "MIT"})
    with pytest.raises(UserError, match="`licence` and `license` differ"):
        read_pictures(path)


def test_windows_paths_get_a_hint(tmp_path: Path) -> None:
    line = GOOD | {"image": "images\\a.jpg"}
    with pytest.raises(UserError, match=r"line 1: no picture .* with / instead"):
        read(tmp_path, line)
    with pytest.raises(UserError, match=r"line 1: no picture .* with / instead"):
        read_pictures(tmp_path / "labels.jsonl")
    (tmp_path / "images\\a.jpg").touch()  # a name that other systems allow
    assert len(read(tmp_path, line)) == 1


@pytest.mark.parametrize("name", ["pipe.jpg", "/dev/zero", "gone.jpg"])
def test_a_picture_that_is_no_file_is_refused_and_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    [picture] = read_pictures(write(tmp_path, BARE | {"image": name}))
    with pytest.raises(UserError, match=f"{name}: (not a regular|no such) file"):
        picture.read_picture()


@pytest.mark.parametrize("name", ["../b.jpg", "/data/b.jpg", "deep/../../b.jpg"])
def test_a_picture_outside_the_folder_is_read_only_where_asked(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, GOOD | {"image": name})
    with pytest.raises(UserError, match=r"line 1: picture .*b\.jpg lies outside"):
        read_manifest(path, Problems())
    assert read_manifest(path, Problems(), outside=True)[0].image == tmp_path / name
    assert read_pictures(path)[0].image == tmp_path / name  # describes it, and reads nothing


def test_an_absolute_path_in_the_folder_is_inside(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD | {"image": str(tmp_path / "deep" / "b.jpg")})
    assert read_manifest(path, Problems())[0].image == tmp_path / "deep" / "b.jpg"
