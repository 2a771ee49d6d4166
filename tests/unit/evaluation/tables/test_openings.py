from collections.abc import Callable

import numpy as np
import pytest
from evaluated_faces import cells

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.comparison import Comparison
from amesh.evaluation.labels.groups import source_groups
from amesh.evaluation.scores import score_matched
from amesh.evaluation.tables.openings import opening_rows, opening_section
from amesh.topology.scheme import Topology

Pose = Callable[..., np.ndarray]
MakeLabel = Callable[..., LabelledFace]

UPPER = (160, 158)  # the points of the right eye's upper lid in the 68-point scheme,
LOWER = (144, 153)  # and those below them


def shut(face: np.ndarray, share: float) -> np.ndarray:
    """The right eye's lids, closer by a share of their distance."""
    closed = face.copy()
    for upper, lower in zip(UPPER, LOWER, strict=True):
        closed[upper] += share * (face[lower] - face[upper])
    return closed


def test_openings_beside_their_labels(pose: Pose, label: MakeLabel, topology: Topology) -> None:
    face = pose()
    labels = [label(shut(face, 1.0)), label(face)]
    scores = {
        "exact": score_matched(labels, [shut(face, 1.0), face], topology),
        "half": score_matched(labels, [shut(face, 0.5), face], topology),
        "misses": score_matched(labels, [shut(face, 1.0), None], topology),
    }
    groups, comparison = source_groups(labels), Comparison("exact", 9, 0)
    del scores["misses"]
    rows = opening_rows(labels, scores, groups, comparison, topology)
    closed = rows[0]
    assert (closed.group, closed.part, closed.low, closed.high) == ("helen", "eyes", 0.0, 0.01)
    assert closed.count == 1
    assert closed.labelled == pytest.approx(0.0, abs=1e-6)
    assert closed.predicted["exact"].value == pytest.approx(0.0, abs=1e-6)
    rest = next(row for row in rows if row.part == "eyes" and row.count == 3)
    assert closed.predicted["half"].value == pytest.approx(rest.labelled / 2, rel=0.02)
    assert closed.error["half"].value == pytest.approx(closed.predicted["half"].value, abs=1e-6)
    assert rest.error["half"].value == pytest.approx(0.0, abs=1e-6)
    first = cells(opening_section(rows))[2]
    assert first[:5] == ["helen", "eyes", "below 0.01", "1", "0.000"]


def test_a_face_that_one_network_misses_counts_for_none(
    pose: Pose, label: MakeLabel, topology: Topology
) -> None:
    face = pose()
    labels = [label(face), label(face)]
    scores = {
        "one": score_matched(labels, [face, None], topology),
        "two": score_matched(labels, [face, face], topology),
    }
    rows = opening_rows(labels, scores, source_groups(labels), Comparison("one", 9, 0), topology)
    assert [row.count for row in rows if row.part == "eyes"] == [2]
    assert [row.count for row in rows if row.part == "mouth"] == [1]
