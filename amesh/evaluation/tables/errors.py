"""Errors by group of faces and measure: in the labels' crops, and by the full pipeline."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.comparison import FEW, Comparison
from amesh.evaluation.evaluated import Evaluated
from amesh.evaluation.labels.groups import Group, source_groups
from amesh.evaluation.labels.read import persons
from amesh.evaluation.markdown import interval, table
from amesh.evaluation.scores import Scores
from amesh.evaluation.table import Table
from amesh.metrics.bootstrap import Interval
from amesh.metrics.curves import area_under_curve, failure_rate

THRESHOLD = 10.0  # [%] of the failure rate and of the area under the curve


@dataclass(frozen=True)
class Cell:
    """One set of predictions on one group by one measure.

    Attributes:
        model: Name of the set of predictions.
        faces: Faces measured: those found, of those whose labels have the measure.
        error: Mean error over them [%].
        failure_rate: Share of the faces with such labels that were missed or whose error exceeds
            `THRESHOLD` [%].
        auc: Area under the cumulative error curve up to `THRESHOLD`; a missed face adds 0 [%].
        change: Against the reference, on the faces that both found [%]; None for the reference.
    """

    model: str
    faces: int
    error: Interval
    failure_rate: float
    auc: float
    change: Interval | None


@dataclass(frozen=True)
class Row:
    """One group by one measure.

    Attributes:
        group: Name of the group.
        measure: Name of the measure.
        labelled: Faces whose labels have the measure.
        cells: One for each set of predictions.
    """

    group: str
    measure: str
    labelled: int
    cells: tuple[Cell, ...]


def error_rows(
    labels: Sequence[LabelledFace],
    scores: Mapping[str, Scores],
    groups: Sequence[Group],
    comparison: Comparison,
    measures: Collection[str] | None = None,
) -> list[Row]:
    """Errors by group and measure.

    Args:
        labels: The labelled faces.
        scores: Of each set of predictions, the reference among them.
        groups: Which faces are scored together.
        comparison: The reference, and the bootstrap.
        measures: Only these; all by default.
    """
    people = persons(labels)
    reference = scores[comparison.reference]
    rows = []
    for group in groups:
        for measure, labelled in reference.labelled.items():
            carry = group.members[labelled[group.members]]
            if not len(carry) or (measures is not None and measure not in measures):
                continue
            cells = []
            for name, scored in scores.items():
                errors, before = (side.errors[measure][carry] for side in (scored, reference))
                found = ~np.isnan(errors)
                both = found & ~np.isnan(before)
                missed = np.where(found, errors, np.inf)
                change = comparison.change(errors[both], before[both], people[carry[both]])
                cells.append(
                    Cell(
                        model=name,
                        faces=int(found.sum()),
                        error=comparison.mean(errors[found], people[carry[found]]),
                        failure_rate=failure_rate(missed, THRESHOLD),
                        auc=area_under_curve(missed, THRESHOLD),
                        change=None if scored is reference else change,
                    )
                )
            rows.append(Row(group.name, measure, len(carry), tuple(cells)))
    return rows


def error_section(rows: Sequence[Row]) -> str:
    """Errors, and their changes against the reference."""
    names = [cell.model for cell in rows[0].cells]
    compared = [cell.model for cell in rows[0].cells if cell.change is not None]
    heads = ["group", "measure", "faces", *names, *(f"{name}: change [%]" for name in compared)]
    body = [
        [row.group, row.measure, _faces(row)]
        + [interval(cell.error) for cell in row.cells]
        + [interval(cell.change, "+.2f") for cell in row.cells if cell.change is not None]
        for row in rows
    ]
    return table(heads, body)


def _faces(row: Row) -> str:
    """Faces labelled, or how many of them each set measured where some were missed."""
    counts = [cell.faces for cell in row.cells]
    few = " (few)" if min(counts) < FEW else ""
    if all(count == row.labelled for count in counts):
        return f"{row.labelled}{few}"
    return f"{', '.join(map(str, counts))} of {row.labelled}{few}"


def _rows_by_source(evaluated: Evaluated, scores: Mapping[str, Scores]) -> list[Row] | None:
    if not scores:
        return None
    labels = evaluated.labels
    return error_rows(labels, scores, source_groups(labels), evaluated.comparison(scores)) or None


IN_ROI = Table(
    key="in_roi",
    title="Region of interest taken from the labels: error [%]",
    compute=lambda evaluated: _rows_by_source(evaluated, evaluated.in_roi),
    section=error_section,
)
FULL = Table(
    key="full",
    title="Full pipeline: error on the faces found [%]",
    compute=lambda evaluated: _rows_by_source(evaluated, evaluated.full),
    section=error_section,
)
