import math
from collections.abc import Callable

import numpy as np
import pytest
from evaluated_faces import cells, scores_of

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.comparison import Comparison
from amesh.evaluation.labels.groups import source_groups
from amesh.evaluation.tables.errors import (
    THRESHOLD,
    Cell,
    Row,
    error_rows,
    error_section,
)
from amesh.metrics.bootstrap import Interval

Pose = Callable[..., np.ndarray]
MakeLabel = Callable[..., LabelledFace]


def test_row_by_hand(pose: Pose, label: MakeLabel) -> None:
    labels = [label(pose()) for _ in range(4)]
    old, new = scores_of(2.0, 4.0, math.nan, 12.0), scores_of(1.0, math.nan, 5.0, 6.0)
    [row] = error_rows(
        labels, {"old": old, "new": new}, source_groups(labels), Comparison("old", 200, 0)
    )
    assert (row.group, row.measure, row.labelled) == ("helen", "lips", 4)
    first, second = row.cells
    assert (first.faces, first.error.value, first.change) == (3, 6.0, None)
    assert first.failure_rate == 50.0  # one missed, one above the threshold
    assert first.auc == pytest.approx(100 * (8 + 6) / THRESHOLD / 4)
    assert second.error.value == 4.0
    assert second.change is not None
    assert second.change.value == pytest.approx(100 * (7 / 14 - 1))  # on the two that both found


def test_a_measure_without_a_found_face_is_still_a_row(pose: Pose, label: MakeLabel) -> None:
    labels = [label(pose())]
    comparison = Comparison("blind", 9, 0)
    [row] = error_rows(labels, {"blind": scores_of(math.nan)}, source_groups(labels), comparison)
    [cell] = row.cells
    assert (cell.faces, cell.failure_rate, cell.auc) == (0, 100.0, 0.0)
    assert math.isnan(cell.error.value)


def test_bootstrap_draws_whole_persons(pose: Pose, label: MakeLabel) -> None:
    errors = [1.0, 1.1, 1.2, 5.0, 5.1, 5.2]
    known = [label(pose(), person=person) for person in "aaabbb"]
    unknown = [label(pose()) for _ in errors]
    wide, narrow = (
        error_rows(
            labels, {"x": scores_of(*errors)}, source_groups(labels), Comparison("x", 500, 0)
        )[0]
        .cells[0]
        .error
        for labels in (known, unknown)
    )
    assert wide.value == narrow.value
    assert wide.high - wide.low > 1.2 * (narrow.high - narrow.low)


def test_any_set_can_be_the_reference_and_measures_are_optional(
    pose: Pose, label: MakeLabel
) -> None:
    labels = [label(pose()) for _ in range(4)]
    scores = {"old": scores_of(2.0, 4.0, 6.0, 8.0), "new": scores_of(1.0, 2.0, 3.0, 4.0)}
    [row] = error_rows(labels, scores, source_groups(labels), Comparison("new", 200, 0))
    first, second = row.cells
    assert second.change is None
    assert first.change == Interval(pytest.approx(100.0), pytest.approx(100), pytest.approx(100))
    assert (
        error_rows(labels, scores, source_groups(labels), Comparison("new", 9, 0), {"eyes"}) == []
    )


def test_section_shows_sets_and_changes_side_by_side() -> None:
    old = Cell("old", 9, Interval(2.0, 1.5, 2.5), 10.0, 70.0, None)
    new = Cell("new|x", 10, Interval(1.0, 0.5, 1.25), 0.0, 80.0, Interval(-50.0, -60.0, -40.0))
    text = error_section([Row("helen", "inner_51", 10, (old, new))])
    figures = ["2.00 (1.50 to 2.50)", "1.00 (0.50 to 1.25)", "-50.00 (-60.00 to -40.00)"]
    assert cells(text)[2:] == [["helen", "inner_51", "9, 10 of 10 (few)", *figures]]
    assert r"new\|x" in text  # a bar in a name does not break the table
