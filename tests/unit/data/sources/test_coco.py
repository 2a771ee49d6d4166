import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from labelled_pictures import close, photo, save

from amesh.data.sources.coco import read_coco
from amesh.data.sources.problems import Problems
from amesh.errors import UserError

STOP = Problems()


def coco(points: np.ndarray, **changes: Any) -> dict[str, Any]:
    seen = np.full((len(points), 1), 2.0)
    seen[3], seen[5] = 0, 1
    entry = {"id": 7, "image_id": 1, "keypoints": np.hstack([points, seen]).ravel().tolist()}
    return {
        "images": [{"id": 1, "file_name": "a.png", "license": 4}],
        "licenses": [{"id": 4, "name": "CC-BY-4.0"}],
        "annotations": [entry | changes],
    }


def test_coco(tmp_path: Path, labels: Callable[..., np.ndarray]) -> None:
    expected = labels("lapa106")
    save(tmp_path / "a.png", photo())
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(coco(expected - 0.5)))
    [record] = read_coco(path, STOP).faces
    close(record, expected)
    assert (record.scheme, record.licence) == ("lapa106", "CC-BY-4.0")
    assert record.weight_xy is not None
    assert record.visibility is not None
    assert (record.weight_xy[3], record.weight_xy[5]) == (0, 1)
    assert (record.visibility[3], record.visibility[5], record.visibility[0]) == (1, 0, 1)
    body = coco(expected - 0.5, keypoints=[0] * 51, face_kpts=[1.0, 2.0, 2.0] * 68)
    path.write_text(json.dumps(body))
    assert read_coco(path, STOP).faces[0].scheme == "ibug68"


BAD_COCO: dict[str, tuple[dict[str, Any], str]] = {
    "picture": ({"image_id": 9}, "annotation 7: its picture 9 is not listed"),
    "odd": ({"keypoints": [1, 2, 3, 4]}, "annotation 7: keypoints must be a list of x, y, v"),
    "scheme": ({"keypoints": [1, 2, 2] * 21}, "annotation 7: 21 points; state their `scheme`"),
    "id": ({"image_id": [1]}, r"annotation 7: image_id: expected"),
    "image": ({"image_id": None}, r"annotation 7: image_id: expected"),
    "large": ({"keypoints": [10**400, 2, 2]}, "annotation 7: .*number out of range"),
    "null": ({"keypoints": [None, 2, 2]}, "annotation 7: point 0 is .*nan"),
    "text": ({"keypoints": ["a", 2, 2]}, r"annotation 7: keypoints\[0\]: expected"),
    "unlabelled": ({"keypoints": [0, 0, 0] * 68}, "no labelled face in it"),
}


@pytest.mark.parametrize("case", BAD_COCO)
def test_bad_coco(tmp_path: Path, labels: Callable[..., np.ndarray], case: str) -> None:
    changes, message = BAD_COCO[case]
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(coco(labels("lapa106"), **changes)))
    with pytest.raises(UserError, match=message):
        read_coco(path, STOP)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"a COCO annotation file: not JSON \("),
        ('{"a": 1}', "COCO.*: .*missing required field `images`"),
        ('{"images": 7, "annotations": []}', "COCO.*: images: expected `array`"),
        ('{"images": [7], "annotations": []}', r"COCO.*: images\[0\]: expected `object`"),
        ('{"images": [{"id": 1}], "annotations": []}', "missing .*`file_name`"),
        ('{"images": [], "annotations": [7]}', "annotation 0: expected `object`"),
        ('{"images": [], "annotations": []}', "no labelled face in it"),
    ],
)
def test_files_of_other_kinds_are_not_coco(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "labels.json"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_coco(path, Problems())


def test_one_bad_annotation_costs_no_other(
    tmp_path: Path, labels: Callable[..., np.ndarray]
) -> None:
    content, problems = coco(labels("lapa106")), Problems("skip")
    content["annotations"][:0] = [7, None, {"id": [1]}, {"image_id": {}}]
    path = tmp_path / "labels.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(content).encode())
    assert len(read_coco(path, problems)) == 1
    assert len(problems.messages) == 4


@pytest.mark.parametrize("name", ["../b.jpg", "/data/b.jpg"])
def test_a_picture_outside_the_folder_is_read_only_where_asked(
    tmp_path: Path, labels: Callable[..., np.ndarray], name: str
) -> None:
    content = coco(labels("lapa106"))
    content["images"][0]["file_name"] = name
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"annotation 7: picture .*b\.jpg lies outside"):
        read_coco(path, STOP)
    assert read_coco(path, STOP, outside=True)[0].image == tmp_path / name
