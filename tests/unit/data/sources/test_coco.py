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
    "null": ({"keypoints": [None, 2, 2]}, "annotation 7: point 0 is .*nan"),
    "text": ({"keypoints": ["a", 2, 2]}, "annotation 7: expected points as rows"),
    "unlabelled": ({"keypoints": [0, 0, 0] * 68}, "no labelled face in it"),
}


@pytest.mark.parametrize("case", BAD_COCO)
def test_bad_coco(tmp_path: Path, labels: Callable[..., np.ndarray], case: str) -> None:
    changes, message = BAD_COCO[case]
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(coco(labels("lapa106"), **changes)))
    with pytest.raises(UserError, match=message):
        read_coco(path, STOP)


def test_files_of_other_kinds_are_not_coco(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_text("{")
    with pytest.raises(UserError, match=r"labels\.json: not JSON \(.*, line 1\)"):
        read_coco(path, STOP)
    path.write_text('{"a": 1}')
    with pytest.raises(UserError, match=r"COCO.*'images'"):
        read_coco(path, STOP)
