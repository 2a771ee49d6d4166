import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from labelled_pictures import write_pts

from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.opening import SourceConfig, open_labels, open_source
from amesh.data.sources.problems import Problems
from amesh.data.sources.shard_files import ShardWriter
from amesh.errors import UserError

STOP = Problems()


def manifest(path: Path, *lines: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def line(points: np.ndarray, **changes: Any) -> dict[str, Any]:
    known = {"image": "a.png", "source": "ours", "licence": "CC0", "scheme": "ibug68"}
    return known | {"coordinates": "index", "points": points.tolist()} | changes


def test_the_format_is_detected(
    tmp_path: Path, labels: Callable[..., np.ndarray], record: Callable[..., LabelledFace]
) -> None:
    write_pts(tmp_path / "pts" / "sub" / "a.pts", labels("ibug68"))
    path = manifest(tmp_path / "labels.jsonl", line(labels("ibug68")))
    with ShardWriter(tmp_path / "shards") as writer:
        writer.add(record())
    for place in (tmp_path / "pts", path, tmp_path / "shards"):
        assert len(open_source(SourceConfig(place), STOP)) == 1


def test_opening_a_missing_set(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none: no such file or folder"):
        open_source(SourceConfig(tmp_path / "none"), STOP)
    with pytest.raises(UserError, match="no labelled set in a known format"):
        open_source(SourceConfig(tmp_path), STOP)
    (tmp_path / "landmarks.jsonl").write_text("")
    with pytest.raises(UserError, match=r"folder.*manifest.*landmarks\.jsonl"):
        open_source(SourceConfig(tmp_path), STOP)


def test_fields_that_a_format_does_not_use_are_refused(tmp_path: Path) -> None:
    config = SourceConfig(tmp_path, format="shards", scheme="ibug68")
    with pytest.raises(UserError, match="shards sources take no 'scheme'"):
        open_source(config, STOP)


def test_a_face_without_points_is_not_trained_on_but_counts_for_detection(
    tmp_path: Path, labels: Callable[..., np.ndarray]
) -> None:
    bare = line(labels("ibug68")) | {"scheme": None, "points": None}
    path = manifest(tmp_path / "labels.jsonl", line(labels("ibug68")), bare)
    assert len(open_labels(SourceConfig(path), STOP)) == 2
    with pytest.raises(UserError, match="line 2: a face without points"):
        open_source(SourceConfig(path), STOP)
    problems = Problems("skip")
    assert len(open_source(SourceConfig(path), problems)) == 1
    assert len(problems.messages) == 1
