import math
from collections.abc import Callable

import numpy as np
import pytest

from amesh.evaluation.accuracy import Scores
from amesh.evaluation.labels import Label
from amesh.evaluation.tables import THRESHOLD, accuracy_rows, detection_rows, offset_rows

Pose = Callable[..., np.ndarray]
MakeLabel = Callable[..., Label]


def _scores(*errors: float) -> Scores:
    found = np.array(errors)
    labelled = {"lips": np.ones(len(found), dtype=bool)}
    offsets = np.stack([found, -2 * found], axis=-1)
    return Scores(~np.isnan(found), {"lips": found}, labelled, offsets)


def test_row_by_hand(pose: Pose, label: MakeLabel) -> None:
    labels = [label(pose()) for _ in range(4)]
    old, new = _scores(2.0, 4.0, math.nan, 12.0), _scores(1.0, math.nan, 5.0, 6.0)
    [row] = accuracy_rows(labels, {"old": old, "new": new}, resamples=200, seed=0)
    assert (row.group, row.measure, row.labelled) == ("helen", "lips", 4)
    first, second = row.cells
    assert (first.faces, first.error.value, first.change) == (3, 6.0, None)
    assert first.failure_rate == 50.0  # one missed, one above the threshold
    assert first.auc == pytest.approx(100 * (8 + 6) / THRESHOLD / 4)
    assert second.error.value == 4.0
    assert second.change is not None
    assert second.change.value == pytest.approx(100 * (7 / 14 - 1))  # on the two that both found


def test_measure_that_no_face_got_is_still_a_row(pose: Pose, label: MakeLabel) -> None:
    [row] = accuracy_rows([label(pose())], {"blind": _scores(math.nan)}, resamples=9, seed=0)
    [cell] = row.cells
    assert (cell.faces, cell.failure_rate, cell.auc) == (0, 100.0, 0.0)
    assert math.isnan(cell.error.value)


def test_pictures_of_one_person_are_drawn_together(pose: Pose, label: MakeLabel) -> None:
    errors = [1.0, 1.1, 1.2, 5.0, 5.1, 5.2]
    known = [label(pose(), person=person) for person in "aaabbb"]
    unknown = [label(pose()) for _ in errors]
    wide, narrow = (
        accuracy_rows(labels, {"x": _scores(*errors)}, resamples=500, seed=0)[0].cells[0].error
        for labels in (known, unknown)
    )
    assert wide.value == narrow.value
    assert wide.high - wide.low > 1.2 * (narrow.high - narrow.low)


def test_share_found_by_group(pose: Pose, label: MakeLabel) -> None:
    labels = [label(pose()), label(pose()), label(pose(), source="lfpw")]
    rows = detection_rows(labels, {"x": _scores(1.0, math.nan, 2.0)}, resamples=9, seed=0)
    found = {row.group: (row.labelled, row.rates["x"].value) for row in rows}
    assert found["helen"] == (2, 50.0)
    assert found["lfpw"] == (1, 100.0)
    assert found["in the wild"] == (3, pytest.approx(200 / 3))


def test_displacement_by_group(pose: Pose, label: MakeLabel) -> None:
    labels = [label(pose()), label(pose()), label(pose(), source="ours")]
    rows = offset_rows(labels, {"x": _scores(1.0, 3.0, math.nan)}, resamples=9, seed=0)
    assert [row.group for row in rows] == ["helen"]  # nothing is known of the other
    right, down = rows[0].offsets["x"]
    assert (right.value, down.value) == (2.0, -4.0)
