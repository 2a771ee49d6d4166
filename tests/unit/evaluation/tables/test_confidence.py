"""Confidence against measured errors that are made up."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from evaluated_faces import cells

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.labels.predictions import Predictions
from amesh.evaluation.models import ModelRun
from amesh.evaluation.tables.confidence import (
    Part,
    confidence_chart,
    confidence_rows,
    confidence_section,
    parts,
)
from amesh.pipeline.confidence import frontal_eye_distance
from amesh.topology.scheme import Topology

Pose = Callable[..., np.ndarray]
MakeLabel = Callable[..., LabelledFace]


@pytest.fixture
def faces(pose: Pose, label: MakeLabel) -> tuple[list[LabelledFace], ModelRun]:
    """Two frontal faces of 100 px; all landmarks of the second are off by 10 px, as expected."""
    face = pose(size=100.0)
    labels = [label(face), replace(label(face), source="lfpw")]
    run = ModelRun(Predictions("net", {}))
    run.in_roi = [face, face + np.array([10.0, 0.0, 0.0])]
    run.errors = [np.full(478, 0.001), np.full(478, 10.0)]
    return labels, run


def test_faces_that_are_wrong_where_expected(faces, topology: Topology) -> None:
    labels, run = faces
    rows = confidence_rows(labels, {"net": run}, topology)
    assert [row.group for row in rows] == ["all", "in the wild", "helen", "lfpw"]
    every = rows[0]
    assert (every.faces, every.points) == (2, 102)
    assert every.by_face == 1.0
    assert every.by_point > 0.8
    # A tenth of the eye distance, where a twentieth is allowed: 1 - (1 + 1) / e.
    unsure, sure = every.parts[0], every.parts[-1]
    assert unsure.stated == pytest.approx(100 * (1 - 2 / np.e), rel=0.05)
    assert unsure.measured == 0
    assert unsure.error == pytest.approx(1000 / frontal_eye_distance(run.in_roi[1], topology))
    assert sure == pytest.approx(Part(100, 100, 0), abs=1e-6)
    assert every.measured == 50
    assert every.apart == pytest.approx(unsure.stated / 2, rel=0.05)


def test_tenths_are_sorted_by_confidence_and_of_equal_size() -> None:
    confidence = np.array([0.9, 0.1, 0.5, 0.7])
    found = parts(confidence, np.array([True, False, False, True]), confidence[::-1] / 10)
    assert [part.stated for part in found] == pytest.approx([10, 50, 70, 90])
    assert [part.measured for part in found] == [0, 0, 100, 100]
    assert [part.error for part in found] == pytest.approx([5, 1, 9, 7])


def test_a_network_that_predicts_no_errors_has_no_row(faces, topology: Topology) -> None:
    labels, run = faces
    silent = replace(run, errors=[None, None])
    assert confidence_rows(labels, {"silent": silent}, topology) == []
    rows = confidence_rows(labels, {"silent": silent, "net": run}, topology)
    assert {row.model for row in rows} == {"net"}


def test_faces_without_a_region_or_points_are_left_out(faces, topology: Topology) -> None:
    labels, run = faces
    labels[0] = replace(labels[0], scheme=None, points=np.zeros((0, 2)))
    assert confidence_rows(labels, {"net": run}, topology)[0].faces == 1
    run.in_roi[1] = run.errors[1] = None
    assert confidence_rows(labels, {"net": run}, topology) == []


def test_the_section_and_the_chart_show_every_group(faces, topology: Topology) -> None:
    labels, run = faces
    rows = confidence_rows(labels, {"net": run}, topology)
    text = confidence_section(rows)
    table = cells(text)
    assert table[0][:6] == ["network", "group", "faces", "points", "by point", "by face"]
    assert table[2][:4] == ["net", "all", "2", "102"]
    assert "confidence.svg" in text
    chart = confidence_chart(rows)
    assert all(f">{name}<" in chart for name in ("as stated", "all", "helen", "net"))
