import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from drawn_faces import draw, write_faces

from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.opening import SourceConfig, open_source
from amesh.data.sources.problems import Problems
from amesh.data.sources.shard_files import ShardWriter
from amesh.errors import UserError
from amesh.evaluation.labels.read import limit_labels, persons, read_data
from amesh.evaluation.options import LabelledData

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


def test_limit_spreads_over_each_source(tmp_path: Path) -> None:
    lines = [GOOD | {"image": f"{i}.jpg", "source": "many"} for i in range(10)]
    lines += [GOOD | {"image": "x.jpg", "source": "few"}]
    labels, _ = read_data(LabelledData((_write(tmp_path, *lines),)))
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
    found = persons(read_data(LabelledData((_write(tmp_path, *lines),)))[0])
    np.testing.assert_array_equal(found, [0, 1, 0, 2, 3])


def _png(picture: np.ndarray) -> bytes:
    return cv2.imencode(".png", picture[..., ::-1])[1].tobytes()


def test_shards_give_labels_and_pictures_and_say_what_is_no_face(tmp_path: Path) -> None:
    write_faces(tmp_path, 6, size=64, negatives=3)
    labels, pictures = read_data(LabelledData((tmp_path,)))
    assert [label.image.name for label in labels] == [f"drawn{i}" for i in range(6)]
    assert [label.face for label in labels] == [True, True, False] * 2
    for index in (0, 1, 3, 4):
        label = labels[index]
        picture, points = draw(index, 64)
        assert (label.source, label.licence, label.scheme) == ("drawn", "CC0", "face478")
        np.testing.assert_array_equal(label.points, points)  # depth included
        np.testing.assert_array_equal(pictures(label.image), picture)


def test_options_speak_of_sets_that_leave_something_open(tmp_path: Path) -> None:
    bare = {key: value for key, value in GOOD.items() if key != "coordinates"}
    manifest = _write(tmp_path, bare)
    write_faces(tmp_path / "shards", 1, size=64)
    sets = (manifest, tmp_path / "shards")
    first, second = read_data(LabelledData(sets, coordinates="index"))[0]
    assert first.points[0].tolist() == [1.5, 2.5]
    np.testing.assert_array_equal(second.points, draw(0, 64)[1])


def _list(folder: Path, *keys: str) -> Path:
    (folder / "list.txt").write_text("".join(f"{key}\n" for key in keys))
    return folder / "list.txt"


def test_lists_of_keys_name_faces_of_any_set(tmp_path: Path) -> None:
    bare = {"image": "b.jpg", "source": "ours", "licence": "CC0", "scheme": None}
    manifest = _write(tmp_path, GOOD | {"width": 640, "height": 480}, bare, GOOD)
    sets = (manifest, write_faces(tmp_path / "shards", 4, size=64, negatives=4))
    # The keys are those that training uses.
    opened = open_source(SourceConfig(manifest), Problems("skip"))
    assert opened.entries[1].key == "images/a.jpg#3"
    only = _list(tmp_path, "images/a.jpg#1", "b.jpg#2", "drawn1", "drawn3")
    labels, pictures = read_data(LabelledData(sets, only=only))
    assert [label.image.name for label in labels] == ["a.jpg", "b.jpg", "drawn1", "drawn3"]
    assert [label.face for label in labels] == [True, True, True, False]
    assert [label.size for label in labels] == [(640, 480), None, None, None]
    np.testing.assert_array_equal(pictures(labels[2].image), draw(1, 64)[0])
    labels, _ = read_data(LabelledData(sets, without=only))
    assert [label.where.split()[-1] for label in labels[:1]] == ["3"]
    assert [label.image.name for label in labels] == ["a.jpg", "drawn0", "drawn2"]


def test_a_list_that_does_not_fit_its_sets(tmp_path: Path) -> None:
    sets = (write_faces(tmp_path / "shards", 2, size=64),)
    with pytest.raises(UserError, match=r"list\.txt: 1 .*first gone"):
        read_data(LabelledData(sets, only=_list(tmp_path, "drawn0", "gone")))
    with pytest.raises(UserError, match="shards: its lists of keys leave no face"):
        read_data(LabelledData(sets, without=_list(tmp_path, "drawn0", "drawn1")))


def test_a_key_that_comes_twice_names_two_pictures(tmp_path: Path) -> None:
    for name in ("first", "second"):
        with ShardWriter(tmp_path, name) as writer:
            picture, points = draw(len(name), 64)
            writer.add(LabelledFace(_png(picture), "x", "same key", "here", "face478", points))
    labels, pictures = read_data(LabelledData((tmp_path,)))
    assert len({label.image for label in labels}) == 2
    np.testing.assert_array_equal(pictures(labels[0].image), draw(5, 64)[0])
    np.testing.assert_array_equal(pictures(labels[1].image), draw(6, 64)[0])


def test_labels_that_count_nothing_are_not_numbers(tmp_path: Path) -> None:
    picture, points = draw(0, 64)
    some, deep = np.ones(478, np.float32), np.ones(478, np.float32)
    some[7], deep[9] = 0.0, 0.0
    nothing = np.zeros(478, np.float32)
    with ShardWriter(tmp_path) as writer:
        content = _png(picture)
        for key, xy, z in (("a", some, deep), ("b", None, nothing), ("c", nothing, nothing)):
            record = LabelledFace(
                content, "x", key, key, "face478", points, weight_xy=xy, weight_z=z
            )
            writer.add(record)
    (first, second, third), _ = read_data(LabelledData((tmp_path,)))
    assert np.flatnonzero(np.isnan(first.points).any(1)).tolist() == [7, 9]
    assert np.isfinite(first.points[9, :2]).all()
    assert second.points.shape == (478, 2)  # a depth that nobody labelled is none
    assert (third.scheme, third.points.shape) == (None, (0, 2))


def test_a_folder_of_pts_files_is_read(tmp_path: Path) -> None:
    rows = "\n".join(f"{i}.0 {2 * i}.0" for i in range(1, 69))
    (tmp_path / "a.pts").write_text(f"version: 1\nn_points: 68\n{{\n{rows}\n}}\n")
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((200, 100, 3), np.uint8))
    [label], pictures = read_data(LabelledData((tmp_path,)))
    assert label.scheme == "ibug68"
    assert label.points[0].tolist() == [0.5, 1.5]  # such files count pixels from one
    assert pictures(label.image).shape == (200, 100, 3)
    assert label.licence is None
