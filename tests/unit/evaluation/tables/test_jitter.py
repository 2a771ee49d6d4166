from collections.abc import Callable

import numpy as np
import pytest
from evaluated_faces import cells
from jittering_faces import Jittering

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.comparison import Comparison
from amesh.evaluation.jitter_still import LOOKS
from amesh.evaluation.over_time import ALL
from amesh.evaluation.tables.jitter import JitterRow, jitter_section, still_rows
from amesh.topology.scheme import Topology

Pose = Callable[..., np.ndarray]
MakeLabel = Callable[..., LabelledFace]
COMPARISON = Comparison("calm", 50, 0)


def _value(rows: list[JitterRow], part: str, model: str) -> float:
    [row] = [row for row in rows if row.part == part]
    return row.jitter[model].value


def test_a_network_that_sees_less_depth_has_no_more_jitter(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    deep = pose(yaw=45.0, size=90.0)
    picture = np.full((200, 220, 3), 128, np.uint8)
    models = {"calm": Jittering(deep * (1.0, 1.0, 0.3), 0.3), "deep": Jittering(deep, 0.3)}
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
        assert row.faces == len(labels)
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
    assert _value(rows, ALL, "calm") == pytest.approx(expected, rel=0.05)
    assert _value(rows, "lips", "shaky") == pytest.approx(2 * expected, rel=0.1)
    assert rows[0].faces == 2
    calm, shaky = (model.rois for model in models.values())
    assert len(calm) == 2 * LOOKS
    centres = np.array([region.centre[0].tolist() for region in calm[:LOOKS]])
    moved = centres - centres.mean(0)
    side = float(calm[0].size[0])
    assert 0.001 * side < np.abs(moved).max() < 0.005 * side
    assert [r.centre[0].tolist() for r in shaky] == [r.centre[0].tolist() for r in calm]


def test_section_has_a_line_for_each_part(topology: Topology, pose: Pose, label: MakeLabel) -> None:
    models = {"calm": Jittering(pose(), 0.3), "shaky": Jittering(pose(), 0.6, 1)}
    picture = np.full((200, 220, 3), 128, np.uint8)
    rows = still_rows(models, [label(pose())], topology, 1, COMPARISON, lambda path: picture)
    table = cells(jitter_section(rows))
    assert table[0] == ["part", "faces", "calm", "shaky", "shaky: change [%]"]
    assert [line[0] for line in table[2:]] == [ALL, *topology.outputs]
    assert {line[1] for line in table[2:]} == {"1"}
    assert still_rows(models, [], topology, 1, COMPARISON, lambda path: picture) == []
