from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from evaluated_faces import cells
from jittering_faces import Jittering, frames

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation import jitter_clips
from amesh.evaluation.comparison import Comparison
from amesh.evaluation.jitter_clips import ALL, WHOLE
from amesh.evaluation.jitter_still import LOOKS
from amesh.evaluation.tables.jitter import (
    ALL_CLIPS,
    STILL,
    JitterRow,
    clip_rows,
    jitter_section,
    still_rows,
)
from amesh.geometry.roi import Roi
from amesh.metrics.bootstrap import Interval
from amesh.pipeline.face_pipeline import Face
from amesh.topology.scheme import Topology

Pose = Callable[..., np.ndarray]
MakeLabel = Callable[..., LabelledFace]
COMPARISON = Comparison("calm", 50, 0)


@pytest.fixture
def clips(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    monkeypatch.setattr(jitter_clips, "read_frames", lambda path: frames(60))
    return [Path("a.mp4"), Path("b.mp4")]


def _value(rows: list[JitterRow], clip: str, part: str, model: str) -> float:
    [row] = [row for row in rows if (row.clip, row.part) == (clip, part)]
    return row.jitter[model].value


def test_jitter_equals_the_noise_that_was_added(
    topology: Topology, pose: Pose, clips: list[Path]
) -> None:
    models = {"calm": Jittering(pose(), 0.3), "shaky": Jittering(pose(), 0.6, 1)}
    rows = clip_rows(models, clips, topology, COMPARISON)
    expected = 100 * 0.3 * np.sqrt(2) / 60  # of the eye distance
    for part in (ALL, "lips", "left_iris"):
        found = _value(rows, ALL_CLIPS, part, "calm")
        assert found == pytest.approx(expected, rel=0.2 if part == "left_iris" else 0.05)
    [total] = [row for row in rows if (row.clip, row.part) == (ALL_CLIPS, ALL)]
    assert total.change["shaky"].value == pytest.approx(100, abs=5)
    assert total.frames == {"calm": 2 * 57, "shaky": 2 * 57}  # 60 - detection - both ends
    # The mean of 478 landmarks trembles less than one of them.
    assert _value(rows, "a.mp4", WHOLE, "calm") < 0.2 * expected


def test_a_network_that_finds_no_face_does_not_affect_the_others(
    topology: Topology, pose: Pose, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Blind:
        def __call__(self, image: np.ndarray, rois: Roi | None = None) -> list[Face]:
            return []

    monkeypatch.setattr(jitter_clips, "read_frames", lambda path: frames(10))
    models = {"calm": Jittering(pose(), 0.3), "blind": Blind()}
    rows = clip_rows(models, [Path("a.mp4")], topology, COMPARISON)
    assert {row.clip for row in rows} == {"a.mp4"}  # one clip needs no mean
    assert _value(rows, "a.mp4", ALL, "calm") > 0
    assert np.isnan(_value(rows, "a.mp4", ALL, "blind"))
    assert np.isnan(rows[0].change["blind"].value)


def test_a_network_that_sees_less_depth_has_no_more_jitter(
    topology: Topology, pose: Pose, label: MakeLabel, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = pose(yaw=45.0, size=90.0)
    flat = deep * (1.0, 1.0, 0.3)
    picture = np.full((200, 220, 3), 128, np.uint8)
    monkeypatch.setattr(jitter_clips, "read_frames", lambda path: frames(60))
    for reference, face in (("calm", flat), ("calm", deep)):
        models = {reference: Jittering(face, 0.3), "deep": Jittering(deep, 0.3)}
        [row] = [
            row
            for row in clip_rows(models, [Path("a.mp4")], topology, COMPARISON)
            if row.part == ALL
        ]
        assert row.jitter["deep"].value == row.jitter[reference].value
    assert row.jitter["deep"].value == pytest.approx(100 * 0.3 * np.sqrt(2) / 90, rel=0.05)
    models = {"calm": Jittering(flat, 0.3), "deep": Jittering(deep, 0.3)}
    [row, *_] = still_rows(models, [label(deep)], topology, 1, COMPARISON, lambda path: picture)
    assert row.jitter["deep"].value == row.jitter["calm"].value
    assert row.jitter["deep"].value == pytest.approx(100 * 0.3 * np.sqrt(2) / 90, rel=0.05)


def test_interval_of_still_faces_is_over_persons(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    labels = [label(pose(), person=person) for person in ("a", "a", "b", None)]
    picture = np.full((200, 220, 3), 128, np.uint8)

    def width(labels: list[LabelledFace]) -> float:
        models = {"calm": Jittering(pose(), 0.3), "shaky": Jittering(pose(), 0.6, 1)}
        [row, *_] = still_rows(models, labels, topology, 9, COMPARISON, lambda path: picture)
        assert row.frames == {"calm": len(labels), "shaky": len(labels)}
        assert np.isnan(row.change["shaky"].low) == np.isnan(row.jitter["calm"].low)
        return row.jitter["calm"].high - row.jitter["calm"].low

    assert np.isnan(width(labels[:2]))  # one person says nothing about the spread between persons
    assert width(labels) > 0


def test_scatter_of_a_still_face_equals_the_noise(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    labels = [label(pose(), source=source) for source in ("x", "x", "y")]
    models = {"calm": Jittering(pose(), 0.3), "shaky": Jittering(pose(), 0.6, 1)}
    picture = np.full((200, 220, 3), 128, np.uint8)
    rows = still_rows(models, labels, topology, 2, COMPARISON, lambda path: picture)
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


def test_parts_of_the_face_are_shown_over_all_clips_only() -> None:
    rows = [
        JitterRow(clip, part, {"x": 30}, {"x": Interval(0.5, 0.4, 0.6)}, {})
        for clip in (ALL_CLIPS, "a.mp4", "b.mp4")
        for part in (ALL, "lips")
    ]
    shown = [row[:2] for row in cells(jitter_section(rows))[2:]]
    assert shown == [[ALL_CLIPS, ALL], [ALL_CLIPS, "lips"], ["a.mp4", ALL], ["b.mp4", ALL]]
