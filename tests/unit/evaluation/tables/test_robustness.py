import math
from collections.abc import Callable
from xml.etree import ElementTree

import numpy as np
from evaluated_faces import cells

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.comparison import Comparison
from amesh.evaluation.perturbation import perturbations
from amesh.evaluation.tables.robustness import (
    Curve,
    curves,
    robustness_chart,
    robustness_section,
)
from amesh.metrics.bootstrap import Interval
from amesh.topology.scheme import Topology

Pose = Callable[..., np.ndarray]
MakeLabel = Callable[..., LabelledFace]


def test_curves_average_over_the_directions_of_a_perturbation(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    grid = perturbations()
    labels = [label(pose()), label(pose()), label(pose())]
    # A network whose error is the shift itself: 0.6 px, 1 % of the eye distance, for each percent
    # to the right, three times that to the left, nothing up or down.
    moved = []
    for one in grid:
        off = 0.6 * 100 * (one.right if one.right > 0 else -3 * one.right)
        moved.append(pose() + np.array([off, 0, 0]))
    face = np.stack(moved).astype(np.float64)
    worse = 2 * face - pose()  # twice as far away in every crop
    networks = {"new": [worse, worse, None], "old": [face, face, None]}
    by_name = curves(labels, networks, topology, Comparison("old", 50, 0))
    found = by_name["old"]
    [line] = [c for c in found if (c.group, c.measure, c.kind) == ("helen", "inner_51", "shift")]
    assert [value for value, _ in line.points] == [0.0, 5.0, 10.0, 15.0, 20.0]
    # Mean of 1, 3, 0 and 0 percent for each percent of shift.
    np.testing.assert_allclose([p.value for _, p in line.points], [0, 5, 10, 15, 20], atol=1e-9)
    assert line.changes == ()
    [other] = [c for c in by_name["new"] if (c.measure, c.kind) == ("inner_51", "shift")]
    np.testing.assert_allclose([p.value for _, p in other.points], [0, 10, 20, 30, 40], atol=1e-9)
    np.testing.assert_allclose([change.value for change in other.changes[1:]], 100)
    [scale] = [c for c in found if (c.measure, c.kind) == ("inner_51", "scale")]
    assert [value for value, _ in scale.points] == [0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4]
    assert {c.kind for c in found} == {"shift", "scale", "roll"}


def test_nothing_to_measure_gives_no_curve(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    comparison = Comparison("x", 50, 0)
    assert curves([label(pose())], {"x": [None]}, topology, comparison) == {"x": []}


def test_section_and_chart_show_the_first_measure_of_a_group() -> None:
    none = Interval(2.0, math.nan, math.nan)
    line = ((0.0, Interval(1.0, 0.9, 1.1)), (5.0, none))
    found = {
        "old": [
            Curve("helen", measure, kind, line)
            for measure in ("inner_51", "lips")
            for kind in ("shift", "scale", "roll")
        ]
    }
    text = robustness_section(found)
    assert ["0", "1.00 (0.90 to 1.10)"] in cells(text)
    assert ["5", "2.00"] in cells(text)
    assert "lips" not in text
    assert text.endswith("(robustness.svg)")
    texts = list(ElementTree.fromstring(robustness_chart(found)).itertext())
    assert {"shift", "scale", "roll", "old", "helen: inner_51 [%]"} <= set(texts)
