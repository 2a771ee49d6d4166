import math
from collections.abc import Callable

import numpy as np
import pytest

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.labels.groups import sets
from amesh.evaluation.tables.accuracy import (
    THRESHOLD,
    Cell,
    Comparison,
    Row,
    accuracy_rows,
    detection_rows,
    offset_rows,
    worse_rows,
)
from amesh.evaluation.tables.scores import Scores
from amesh.metrics.bootstrap import Interval

Pose = Callable[..., np.ndarray]
MakeLabel = Callable[..., LabelledFace]


def _scores(*errors: float) -> Scores:
    found = np.array(errors)
    labelled = {"lips": np.ones(len(found), dtype=bool)}
    offsets = np.stack([found, -2 * found], axis=-1)
    return Scores(~np.isnan(found), {"lips": found}, labelled, offsets)


def test_row_by_hand(pose: Pose, label: MakeLabel) -> None:
    labels = [label(pose()) for _ in range(4)]
    old, new = _scores(2.0, 4.0, math.nan, 12.0), _scores(1.0, math.nan, 5.0, 6.0)
    [row] = accuracy_rows(labels, {"old": old, "new": new}, sets(labels), Comparison("old", 200, 0))
    assert (row.group, row.measure, row.labelled) == ("helen", "lips", 4)
    first, second = row.cells
    assert (first.faces, first.error.value, first.change) == (3, 6.0, None)
    assert first.failure_rate == 50.0  # one missed, one above the threshold
    assert first.auc == pytest.approx(100 * (8 + 6) / THRESHOLD / 4)
    assert second.error.value == 4.0
    assert second.change is not None
    assert second.change.value == pytest.approx(100 * (7 / 14 - 1))  # on the two that both found


def test_measure_that_no_face_got_is_still_a_row(pose: Pose, label: MakeLabel) -> None:
    labels = [label(pose())]
    how = Comparison("blind", 9, 0)
    [row] = accuracy_rows(labels, {"blind": _scores(math.nan)}, sets(labels), how)
    [cell] = row.cells
    assert (cell.faces, cell.failure_rate, cell.auc) == (0, 100.0, 0.0)
    assert math.isnan(cell.error.value)


def test_pictures_of_one_person_are_drawn_together(pose: Pose, label: MakeLabel) -> None:
    errors = [1.0, 1.1, 1.2, 5.0, 5.1, 5.2]
    known = [label(pose(), person=person) for person in "aaabbb"]
    unknown = [label(pose()) for _ in errors]
    wide, narrow = (
        accuracy_rows(labels, {"x": _scores(*errors)}, sets(labels), Comparison("x", 500, 0))[0]
        .cells[0]
        .error
        for labels in (known, unknown)
    )
    assert wide.value == narrow.value
    assert wide.high - wide.low > 1.2 * (narrow.high - narrow.low)


def test_share_found_by_group(pose: Pose, label: MakeLabel) -> None:
    labels = [label(pose()), label(pose()), label(pose(), source="lfpw")]
    rows = detection_rows(
        labels, {"x": _scores(1.0, math.nan, 2.0)}, sets(labels), Comparison("x", 9, 0)
    )
    found = {row.group: (row.labelled, row.rates["x"].value) for row in rows}
    assert found["helen"] == (2, 50.0)
    assert found["lfpw"] == (1, 100.0)
    assert found["in the wild"] == (3, pytest.approx(200 / 3))


def test_displacement_by_group(pose: Pose, label: MakeLabel) -> None:
    labels = [label(pose()), label(pose()), label(pose(), source="ours")]
    rows = offset_rows(
        labels, {"x": _scores(1.0, 3.0, math.nan)}, sets(labels), Comparison("x", 9, 0)
    )
    assert [row.group for row in rows] == ["helen"]  # nothing is known of the other
    right, down = rows[0].offsets["x"]
    assert (right.value, down.value) == (2.0, -4.0)


def test_reference_may_be_any_set_and_measures_be_left_out(pose: Pose, label: MakeLabel) -> None:
    labels = [label(pose()) for _ in range(4)]
    scores = {"old": _scores(2.0, 4.0, 6.0, 8.0), "new": _scores(1.0, 2.0, 3.0, 4.0)}
    [row] = accuracy_rows(labels, scores, sets(labels), Comparison("new", 200, 0))
    first, second = row.cells
    assert second.change is None
    assert first.change == Interval(pytest.approx(100.0), pytest.approx(100), pytest.approx(100))
    assert accuracy_rows(labels, scores, sets(labels), Comparison("new", 9, 0), {"eyes"}) == []


def _row(group: str, *cells: tuple[str, int, float | None]) -> Row:
    none = Interval(1.0, 1.0, 1.0)
    made = tuple(
        Cell(name, faces, none, 0.0, 0.0, None if c is None else Interval(c, c - 1, c + 1))
        for name, faces, c in cells
    )
    return Row(group, "lips", 20, made)


def test_worse_lines_are_beyond_the_margin_and_of_enough_faces() -> None:
    rows = [
        _row("a", ("reference", 20, None), ("x", 20, 3.1), ("y", 20, 2.9)),
        _row("b", ("reference", 20, None), ("x", 9, 50.0), ("y", 10, 7.0)),
    ]
    found = [(w.where, w.group, w.model, w.change.value) for w in worse_rows({"t": rows})]
    assert found == [("t", "b", "y", 7.0), ("t", "a", "x", 3.1)]
