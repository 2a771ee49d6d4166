from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from amesh.data.sources.labelled_face import LabelledFace
from amesh.errors import UserError
from amesh.evaluation.tables import jitter
from amesh.evaluation.tables.accuracy import Comparison
from amesh.evaluation.tables.jitter import (
    ALL,
    ALL_CLIPS,
    WHOLE,
    JitterRow,
    follow,
    read_frames,
    video_jitter,
)
from amesh.evaluation.tables.jitter_still import LOOKS, STILL, still_jitter
from amesh.geometry.roi import Roi
from amesh.pipeline.face_pipeline import Face
from amesh.topology.scheme import Topology

Pose = Callable[..., np.ndarray]
MakeLabel = Callable[..., LabelledFace]
HOW = Comparison("calm", 50, 0)


class Trembling:
    """Knows the face, give or take some noise; loses it in frames of even grey."""

    def __init__(self, face: np.ndarray, noise: float, seed: int = 0) -> None:
        self.face, self.noise = face, noise
        self.random = np.random.default_rng(seed)
        self.detections = 0
        self.rois: list[Roi] = []

    def __call__(self, image: np.ndarray, rois: Roi | None = None) -> list[Face]:
        seen = bool(np.ptp(image))
        if rois is None:
            self.detections += 1
        else:
            self.rois.append(rois)
        found = self.face.copy()
        found[:, :2] += self.random.normal(0, self.noise, (len(found), 2))
        region = rois or Roi(*[None] * 3)  # type: ignore[arg-type]
        face = Face(0, 0.9 if seen else 0.1, found.astype(np.float32), region)
        return [face] if seen or rois is not None else []


def _frames(count: int, blank: int | None = None) -> Iterator[np.ndarray]:
    for i in range(count):
        frame = np.zeros((8, 8, 3), np.uint8)
        frame[0] = 0 if i == blank else 255
        yield frame


@pytest.fixture
def clips(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    monkeypatch.setattr(jitter, "read_frames", lambda path: _frames(60))
    return [Path("a.mp4"), Path("b.mp4")]


def _value(rows: list[JitterRow], clip: str, part: str, model: str) -> float:
    [row] = [row for row in rows if (row.clip, row.part) == (clip, part)]
    return row.jitter[model].value


def test_jitter_is_the_noise_and_twice_of_it_twice(
    topology: Topology, pose: Pose, clips: list[Path]
) -> None:
    models = {"calm": Trembling(pose(), 0.3), "shaky": Trembling(pose(), 0.6, 1)}
    rows = video_jitter(models, clips, topology, HOW)
    expected = 100 * 0.3 * np.sqrt(2) / 60  # of the eye distance
    for part in (ALL, "lips", "left_iris"):
        found = _value(rows, ALL_CLIPS, part, "calm")
        assert found == pytest.approx(expected, rel=0.2 if part == "left_iris" else 0.05)
    [total] = [row for row in rows if (row.clip, row.part) == (ALL_CLIPS, ALL)]
    assert total.change["shaky"].value == pytest.approx(100, abs=5)
    assert total.frames == {"calm": 2 * 57, "shaky": 2 * 57}  # 60 - detection - both ends
    # The mean of 478 landmarks trembles less than one of them.
    assert _value(rows, "a.mp4", WHOLE, "calm") < 0.2 * expected


def test_a_face_is_followed_by_its_own_landmarks_until_it_is_lost(
    topology: Topology, pose: Pose
) -> None:
    model = Trembling(pose(), 0.0)
    [first, second] = follow({"x": model}, _frames(20, blank=9), "", topology)["x"]
    # Detected in frame 0, lost in 9, detected again in 10.
    assert (len(first), len(second)) == (8, 9)
    assert model.detections == 2
    assert model.rois[3].centre[0].tolist() == model.rois[4].centre[0].tolist()


def test_a_network_that_finds_nobody_spoils_no_other(
    topology: Topology, pose: Pose, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Blind:
        def __call__(self, image: np.ndarray, rois: Roi | None = None) -> list[Face]:
            return []

    monkeypatch.setattr(jitter, "read_frames", lambda path: _frames(10))
    models = {"calm": Trembling(pose(), 0.3), "blind": Blind()}
    rows = video_jitter(models, [Path("a.mp4")], topology, HOW)
    assert {row.clip for row in rows} == {"a.mp4"}  # one clip needs no mean
    assert _value(rows, "a.mp4", ALL, "calm") > 0
    assert np.isnan(_value(rows, "a.mp4", ALL, "blind"))
    assert np.isnan(rows[0].change["blind"].value)


def test_a_network_that_sees_less_depth_seems_no_shakier(
    topology: Topology, pose: Pose, label: MakeLabel, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = pose(yaw=45.0, size=90.0)
    flat = deep * (1.0, 1.0, 0.3)
    picture = np.full((200, 220, 3), 128, np.uint8)
    monkeypatch.setattr(jitter, "read_frames", lambda path: _frames(60))
    for reference, face in (("calm", flat), ("calm", deep)):
        models = {reference: Trembling(face, 0.3), "deep": Trembling(deep, 0.3)}
        [row] = [
            row for row in video_jitter(models, [Path("a.mp4")], topology, HOW) if row.part == ALL
        ]
        assert row.jitter["deep"].value == row.jitter[reference].value
    assert row.jitter["deep"].value == pytest.approx(100 * 0.3 * np.sqrt(2) / 90, rel=0.05)
    models = {"calm": Trembling(flat, 0.3), "deep": Trembling(deep, 0.3)}
    [row, *_] = still_jitter(models, [label(deep)], topology, 1, HOW, lambda path: picture)
    assert row.jitter["deep"].value == row.jitter["calm"].value
    assert row.jitter["deep"].value == pytest.approx(100 * 0.3 * np.sqrt(2) / 90, rel=0.05)


def test_a_still_faces_interval_is_over_persons(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    labels = [label(pose(), person=person) for person in ("a", "a", "b", None)]
    picture = np.full((200, 220, 3), 128, np.uint8)

    def width(labels: list[LabelledFace]) -> float:
        models = {"calm": Trembling(pose(), 0.3), "shaky": Trembling(pose(), 0.6, 1)}
        [row, *_] = still_jitter(models, labels, topology, 9, HOW, lambda path: picture)
        assert row.frames == {"calm": len(labels), "shaky": len(labels)}
        assert np.isnan(row.change["shaky"].low) == np.isnan(row.jitter["calm"].low)
        return row.jitter["calm"].high - row.jitter["calm"].low

    assert np.isnan(width(labels[:2]))  # one person says nothing about the spread between persons
    assert width(labels) > 0


def test_frames_of_a_video_are_rgb(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (32, 16))
    for _ in range(4):
        writer.write(np.full((16, 32, 3), (0, 0, 250), np.uint8))  # red, in OpenCV's order
    writer.release()
    frames = list(read_frames(path))
    assert [frame.shape for frame in frames] == [(16, 32, 3)] * 4
    assert frames[0][..., 0].min() > 200
    assert frames[0][..., 2].max() < 50


def test_what_is_no_video_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.mp4: no such file; give a video"):
        next(read_frames(tmp_path / "none.mp4"))
    (tmp_path / "a.mp4").write_bytes(b"text")
    with pytest.raises(UserError, match=r"a\.mp4: not a video that can be read"):
        next(read_frames(tmp_path / "a.mp4"))


def test_a_still_face_scatters_as_its_network_does(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    labels = [label(pose(), source=source) for source in ("x", "x", "y")]
    models = {"calm": Trembling(pose(), 0.3), "shaky": Trembling(pose(), 0.6, 1)}
    picture = np.full((200, 220, 3), 128, np.uint8)
    rows = still_jitter(models, labels, topology, 2, HOW, lambda path: picture)
    expected = 100 * 0.3 * np.sqrt(2) / 60
    assert _value(rows, STILL, ALL, "calm") == pytest.approx(expected, rel=0.05)
    assert _value(rows, STILL, "lips", "shaky") == pytest.approx(2 * expected, rel=0.1)
    assert rows[0].frames == {"calm": 2, "shaky": 2}
    calm, shaky = (model.rois for model in models.values())
    assert len(calm) == 2 * LOOKS
    centres = np.array([region.centre[0].tolist() for region in calm[:LOOKS]])
    moved = centres - centres.mean(0)
    side = float(calm[0].size[0])
    assert 0.001 * side < np.abs(moved).max() < 0.005 * side
    assert [r.centre[0].tolist() for r in shaky] == [r.centre[0].tolist() for r in calm]
