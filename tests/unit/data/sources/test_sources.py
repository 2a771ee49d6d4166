"""Every format, in files as the data sets have them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from labelled_pictures import Pose, photo, save
from scipy.io import savemat

from amesh.data.sources.coco import read_coco
from amesh.data.sources.face_synthetics import read_face_synthetics
from amesh.data.sources.formats import FORMATS, FormatName
from amesh.data.sources.keys import picture_of
from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.mat import read_mat_folder
from amesh.data.sources.opening import SourceConfig, open_labels, open_source
from amesh.data.sources.problems import Problems
from amesh.data.sources.pts import read_pts_folder
from amesh.data.sources.shard_files import ShardWriter
from amesh.data.sources.wflw import read_wflw
from amesh.errors import UserError
from amesh.topology.scheme import Topology

Points = np.ndarray
STOP = Problems()


@pytest.fixture
def labels(topology: Topology, pose: Pose) -> Callable[..., Points]:
    """Labels of a scheme, read off a face [corner coordinates]."""

    def make(scheme: str, depth: bool = False) -> Points:
        return topology.map_points(pose(), scheme)[:, : 3 if depth else 2]

    return make


def close(record: LabelledFace, expected: Points) -> None:
    np.testing.assert_allclose(record.points, expected, atol=2e-3)
    assert Path(str(record.picture)).is_file()


# ----------------------------------------------------------------------------------------- 300-W


def write_pts(path: Path, points: Points, count: int | None = None) -> None:
    save(path.with_suffix(".png"), photo())
    rows = "\n".join(f"{x:.6f} {y:.6f}" for x, y in points)
    path.write_text(f"version: 1\nn_points:  {count or len(points)}\n{{\n{rows}\n}}\n")


def test_pts_count_from_one(tmp_path: Path, labels: Callable[..., Points]) -> None:
    expected = labels("ibug68")
    write_pts(tmp_path / "train" / "a.pts", expected + 0.5)
    write_pts(tmp_path / "b.pts", np.full((68, 2), 11.0) + np.arange(68)[:, None])
    source = read_pts_folder(tmp_path, STOP)
    first, second = sorted(source.faces, key=lambda record: record.key, reverse=True)
    close(first, expected)
    assert (first.scheme, first.key, first.split) == ("ibug68", "train/a", "train")
    assert second.points[0].tolist() == [10.5, 10.5]  # as CONVENTIONS.md has it


PTS = {
    "cut short": (lambda p: p.write_text(p.read_text()[:400]), r"a\.pts: \d+ points, expected 68"),
    "a word": (
        lambda p: p.write_text(p.read_text().replace("{", "{\nx y")),
        r"a\.pts: expected points as rows",
    ),
    "nan": (
        lambda p: p.write_text("n_points: 1\n{\nnan 3\n}"),
        r"a\.pts: point 0 is \[nan, 3\.0\], not finite",
    ),
    "no picture": (lambda p: p.with_suffix(".png").unlink(), r"picture a\.jpg .* is missing"),
    "binary": (lambda p: p.write_bytes(b"\xff\xfe\x80"), "cannot be read as text"),
}


@pytest.mark.parametrize("case", PTS)
def test_bad_pts(tmp_path: Path, labels: Callable[..., Points], case: str) -> None:
    for name in ("a", "b"):
        write_pts(tmp_path / f"{name}.pts", labels("ibug68"))
    spoil, message = PTS[case]
    spoil(tmp_path / "a.pts")
    with pytest.raises(UserError, match=message):
        read_pts_folder(tmp_path, STOP)
    problems = Problems("skip")
    assert len(read_pts_folder(tmp_path, problems)) == 1
    assert len(problems.messages) == 1


def test_folders_without_labels(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none: no such folder"):
        read_pts_folder(tmp_path / "none", STOP)
    with pytest.raises(UserError, match=r"no \.pts file in it"):
        read_pts_folder(tmp_path, STOP)
    (tmp_path / "a.pts").write_text("{}")
    with pytest.raises(UserError, match=r"no labelled face.*a\.pts"):
        read_pts_folder(tmp_path, Problems("skip"))


# ------------------------------------------------------------------------------------------ WFLW


def wflw_line(points: Points, name: str = "0--Parade/a.png") -> str:
    numbers = " ".join(f"{v:.6f}" for v in points.ravel())
    return f"{numbers} 10 20 90 95 1 0 0 0 1 0 {name}"


def test_wflw(tmp_path: Path, labels: Callable[..., Points]) -> None:
    expected = labels("wflw98")
    save(tmp_path / "WFLW_images" / "0--Parade" / "a.png", photo())
    path = tmp_path / "WFLW_annotations" / "lists" / "train.txt"
    path.parent.mkdir(parents=True)
    path.write_text(wflw_line(expected - 0.5) + "\n")
    [record] = read_wflw(path, STOP).faces
    close(record, expected)
    assert (record.scheme, record.group) == ("wflw98", "pose, occlusion")


def test_bad_wflw(tmp_path: Path, labels: Callable[..., Points]) -> None:
    path = tmp_path / "train.txt"
    good = wflw_line(labels("wflw98"))
    path.write_text(f"{good}\n{good[5:300]}\n{good.replace('60.', 'x60.', 1)}\n")
    with pytest.raises(UserError, match=r"line 2: \d+ fields.*196"):
        read_wflw(path, STOP)
    problems = Problems("skip")
    assert len(read_wflw(path, problems)) == 1
    assert "line 3: expected points as rows [x, y]" in problems.messages[1]
    with pytest.raises(UserError, match="none: no such file"):
        read_wflw(tmp_path / "none", STOP)


# ------------------------------------------------------------------------- 300W-LP, AFLW2000-3D


def test_mat(tmp_path: Path, labels: Callable[..., Points]) -> None:
    expected = labels("ibug68", depth=True)
    one_based = expected + np.array([0.5, 0.5, 0.0])
    save(tmp_path / "a.jpg", photo())
    pose = np.array([[0.1, np.deg2rad(-47.0), 0.2, 3, 4, 5, 6]])
    savemat(tmp_path / "a.mat", {"pt3d_68": (one_based * [1, 1, -1]).T, "Pose_Para": pose})
    save(tmp_path / "b.jpg", photo())
    savemat(tmp_path / "b.mat", {"pt2d": one_based[:, :2].T})
    deep, flat = read_mat_folder(tmp_path, STOP).faces
    close(deep, expected)
    close(flat, expected[:, :2])
    assert (deep.scheme, deep.group, flat.group) == ("aflw2000_3d68", "yaw 30-60", "")


def test_bad_mat(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg", photo())
    (tmp_path / "a.mat").write_bytes(b"MATLAB 5.0 MAT-file" + b"\0" * 100)
    with pytest.raises(UserError, match=r"a\.mat: not a \.mat file"):
        read_mat_folder(tmp_path, STOP)
    savemat(tmp_path / "a.mat", {"points": np.zeros(3)})
    with pytest.raises(UserError, match="neither 'pt3d_68' nor 'pt2d'"):
        read_mat_folder(tmp_path, STOP)
    savemat(tmp_path / "a.mat", {"pt2d": np.zeros((2, 21))})
    with pytest.raises(UserError, match=r"a\.mat: 21 points, expected 68"):
        read_mat_folder(tmp_path, STOP)


# --------------------------------------------------------------------------------- FaceSynthetics


def test_face_synthetics(tmp_path: Path, labels: Callable[..., Points]) -> None:
    expected = labels("face_synthetics70")
    save(tmp_path / "000000.png", photo())
    save(tmp_path / "000000_seg.png", photo())
    np.savetxt(tmp_path / "000000_ldmks.txt", expected - 0.5)
    [record] = read_face_synthetics(tmp_path, STOP).faces
    close(record, expected)
    assert (record.key, record.licence) == ("000000", "research-only")
    np.savetxt(tmp_path / "000000_ldmks.txt", expected[:60])
    with pytest.raises(UserError, match=r"000000_ldmks\.txt: 60 .*70"):
        read_face_synthetics(tmp_path, STOP)


# ------------------------------------------------------------------------------------------- COCO


def coco(points: Points, **changes: Any) -> dict[str, Any]:
    seen = np.full((len(points), 1), 2.0)
    seen[3], seen[5] = 0, 1
    entry = {"id": 7, "image_id": 1, "keypoints": np.hstack([points, seen]).ravel().tolist()}
    return {
        "images": [{"id": 1, "file_name": "a.png", "license": 4}],
        "licenses": [{"id": 4, "name": "CC-BY-4.0"}],
        "annotations": [entry | changes],
    }


def test_coco(tmp_path: Path, labels: Callable[..., Points]) -> None:
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
    "scheme": ({"keypoints": [1, 2, 2] * 21}, "annotation 7: 21 points, say which scheme"),
    "null": ({"keypoints": [None, 2, 2]}, "annotation 7: point 0 is .*nan"),
    "text": ({"keypoints": ["a", 2, 2]}, "annotation 7: expected points as rows"),
    "unlabelled": ({"keypoints": [0, 0, 0] * 68}, "no labelled face in it"),
}


@pytest.mark.parametrize("case", BAD_COCO)
def test_bad_coco(tmp_path: Path, labels: Callable[..., Points], case: str) -> None:
    changes, message = BAD_COCO[case]
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(coco(labels("lapa106"), **changes)))
    with pytest.raises(UserError, match=message):
        read_coco(path, STOP)


def test_what_is_no_coco_file(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_text("{")
    with pytest.raises(UserError, match=r"labels\.json: not JSON \(.*, line 1\)"):
        read_coco(path, STOP)
    path.write_text('{"a": 1}')
    with pytest.raises(UserError, match=r"COCO.*'images'"):
        read_coco(path, STOP)


# ---------------------------------------------------------------------------------------- opening


def manifest(path: Path, *lines: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def line(points: Points, **changes: Any) -> dict[str, Any]:
    known = {"image": "a.png", "source": "ours", "licence": "CC0", "scheme": "ibug68"}
    return known | {"coordinates": "index", "points": points.tolist()} | changes


def test_the_format_is_found(
    tmp_path: Path, labels: Callable[..., Points], record: Callable[..., LabelledFace]
) -> None:
    write_pts(tmp_path / "pts" / "sub" / "a.pts", labels("ibug68"))
    path = manifest(tmp_path / "labels.jsonl", line(labels("ibug68")))
    with ShardWriter(tmp_path / "shards") as writer:
        writer.add(record())
    for place in (tmp_path / "pts", path, tmp_path / "shards"):
        assert len(open_source(SourceConfig(place), STOP)) == 1


def test_opening_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none: no such file or folder"):
        open_source(SourceConfig(tmp_path / "none"), STOP)
    with pytest.raises(UserError, match="no labelled set in a known format"):
        open_source(SourceConfig(tmp_path), STOP)
    (tmp_path / "landmarks.jsonl").write_text("")
    with pytest.raises(UserError, match=r"folder.*manifest.*landmarks\.jsonl"):
        open_source(SourceConfig(tmp_path), STOP)


def test_fields_a_format_has_no_use_for_are_refused(tmp_path: Path) -> None:
    config = SourceConfig(tmp_path, format="shards", scheme="ibug68")
    with pytest.raises(UserError, match="shards sources take no 'scheme'"):
        open_source(config, STOP)


def test_a_face_without_points_trains_nothing_but_counts_for_detection(
    tmp_path: Path, labels: Callable[..., Points]
) -> None:
    bare = line(labels("ibug68")) | {"scheme": None, "points": None}
    path = manifest(tmp_path / "labels.jsonl", line(labels("ibug68")), bare)
    assert len(open_labels(SourceConfig(path), STOP)) == 2
    with pytest.raises(UserError, match="line 2: a face without points"):
        open_source(SourceConfig(path), STOP)
    problems = Problems("skip")
    assert len(open_source(SourceConfig(path), problems)) == 1
    assert len(problems.messages) == 1


def test_every_format_has_a_reader() -> None:
    assert get_args(FormatName) == ("auto", *FORMATS)
    readers = {name: one.open() for name, one in FORMATS.items()}
    assert readers["coco"] is read_coco
    assert all(map(callable, readers.values()))


def test_the_number_in_a_file_name_does_not_join_pictures(
    tmp_path: Path, labels: Callable[..., Points]
) -> None:
    for number in range(3):
        write_pts(tmp_path / "Shoot #3" / f"photo #{number}.pts", labels("ibug68"))
    keys = [entry.key for entry in read_pts_folder(tmp_path, STOP).entries]
    assert [picture_of(key) for key in keys] == [f"Shoot #3/photo #{n}" for n in range(3)]
