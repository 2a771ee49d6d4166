import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from amesh.errors import UserError
from amesh.evaluation.labels import limit_labels, persons, read_labels

GOOD: dict[str, Any] = {
    "image": "images/a.jpg",
    "source": "ours",
    "licence": "CC0",
    "scheme": "ibug68",
    "coordinates": "corner",
    "points": [[1.0, 2.0], [3.0, 4.5]],
}


def _write(folder: Path, *lines: object) -> Path:
    path = folder / "labels.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(texts) + "\n")
    return path


def test_reads_what_the_line_says(tmp_path: Path) -> None:
    line = GOOD | {"width": 640, "height": 480, "yaw": -12.5, "person": 7}
    [label] = read_labels(_write(tmp_path, line))
    assert label.image == tmp_path / "images/a.jpg"
    assert (label.source, label.licence, label.scheme) == ("ours", "CC0", "ibug68")
    assert (label.size, label.yaw, label.person) == ((640, 480), -12.5, "7")
    assert label.points.tolist() == [[1.0, 2.0], [3.0, 4.5]]


def test_index_coordinates_become_corner_coordinates(tmp_path: Path) -> None:
    flat = GOOD | {"coordinates": "index"}
    deep = flat | {"points": [[1.0, 2.0, 3.0]]}
    first, second = read_labels(_write(tmp_path, flat, deep))
    assert first.points.tolist() == [[1.5, 2.5], [3.5, 5.0]]
    assert second.points.tolist() == [[1.5, 2.5, 3.0]]  # depth has no pixel centre


def test_option_serves_lines_without_the_key_and_only_those(tmp_path: Path) -> None:
    bare = {key: value for key, value in GOOD.items() if key != "coordinates"}
    first, second = read_labels(_write(tmp_path, bare, GOOD), "index")
    assert first.points[0].tolist() == [1.5, 2.5]
    assert second.points[0].tolist() == [1.0, 2.0]


def test_face_without_points_needs_no_coordinates(tmp_path: Path) -> None:
    line = {"image": "a.jpg", "source": "ours", "licence": "CC0", "scheme": None}
    labels = read_labels(_write(tmp_path, line, "", line | {"points": None}))
    assert [label.points.shape for label in labels] == [(0, 2), (0, 2)]


def _without(key: str) -> dict[str, Any]:
    return {name: value for name, value in GOOD.items() if name != key}


BAD = {
    "not JSON": ("{", "line 2: not JSON"),
    "a list": ([1], "line 2: expected an object .* found list"),
    "no image": (_without("image"), "line 2: key 'image' is missing"),
    "no source": (_without("source"), "line 2: key 'source' is missing"),
    "no licence": (_without("licence"), "line 2: key 'licence' is missing"),
    "no scheme": (_without("scheme"), "line 2: key 'scheme' is missing"),
    "no coordinates": (_without("coordinates"), "line 2: key 'coordinates'.*--coordinates"),
    "odd coordinates": (GOOD | {"coordinates": "matlab"}, "line 2: 'coordinates' must.*'matlab'"),
    "image a number": (GOOD | {"image": 5}, "line 2: 'image' must be a text, found 5"),
    "source null": (GOOD | {"source": None}, "line 2: 'source' must be a text"),
    "no points": (_without("points"), "line 2: scheme 'ibug68', but no 'points'"),
    "points, no scheme": (GOOD | {"scheme": None}, "line 2: has 'points' but no 'scheme'"),
    "flat points": (GOOD | {"points": [1, 2]}, r"line 2: 'points' must be a list of \[x, y\]"),
    "ragged points": (GOOD | {"points": [[1, 2], [3]]}, "line 2: 'points' must be a list"),
    "points of text": (GOOD | {"points": [["a", "b"]]}, "line 2: 'points' must be a list"),
    "points an object": (GOOD | {"points": {"x": 1}}, "line 2: 'points' must be a list"),
    "a hole": (GOOD | {"points": [[1, 2], [None, 2]]}, r"line 2: point 1 is \[None, 2\]"),
    "infinite": (json.dumps(GOOD).replace("4.5", "Infinity"), r"line 2: point 1 is \[3.0, inf\]"),
    "width of text": (GOOD | {"width": "640"}, "line 2: 'width' must be a number, found '640'"),
    "yaw nan": (json.dumps(GOOD | {"yaw": 1}).replace('"yaw": 1', '"yaw": NaN'), "line 2: 'yaw'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_line_is_named(tmp_path: Path, case: str) -> None:
    line, message = BAD[case]
    with pytest.raises(UserError, match=message):
        read_labels(_write(tmp_path, GOOD, line))


def test_bad_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_labels(tmp_path / "none.jsonl")
    with pytest.raises(UserError, match="a folder; give the JSONL"):
        read_labels(tmp_path)
    with pytest.raises(UserError, match="no label in it"):
        read_labels(_write(tmp_path, ""))
    (tmp_path / "image.jpg").write_bytes(b"\xff\xd8\xff\xe0\x80")
    with pytest.raises(UserError, match="cannot be read as text"):
        read_labels(tmp_path / "image.jpg")


def test_limit_spreads_over_each_source(tmp_path: Path) -> None:
    lines = [GOOD | {"image": f"{i}.jpg", "source": "many"} for i in range(10)]
    lines += [GOOD | {"image": "x.jpg", "source": "few"}]
    labels = read_labels(_write(tmp_path, *lines))
    kept = [label.image.name for label in limit_labels(labels, 3)]
    assert kept == ["3.jpg", "6.jpg", "9.jpg", "x.jpg"]
    for limit in range(1, 12):
        assert len(limit_labels(labels, limit)) == min(limit, 10) + 1


def test_persons_are_those_of_one_source(tmp_path: Path) -> None:
    lines = [
        GOOD | {"person": "anna"},
        GOOD,
        GOOD | {"person": "anna"},
        GOOD | {"person": "anna", "source": "theirs"},
        GOOD,
    ]
    found = persons(read_labels(_write(tmp_path, *lines)))
    np.testing.assert_array_equal(found, [0, 1, 0, 2, 3])
