"""Failure rate and area under the error curve of the full pipeline."""

from collections.abc import Sequence

from amesh.evaluation.evaluated import Evaluated
from amesh.evaluation.labels.groups import Group, yaw_bins
from amesh.evaluation.labels.label_schemes import label_scheme
from amesh.evaluation.markdown import table
from amesh.evaluation.table import Table
from amesh.evaluation.tables.errors import FULL, THRESHOLD, Row, error_rows

_NOTE = f"""\
FR is the share of faces that were missed or whose error exceeds {THRESHOLD:g} %, AUC the area under
the cumulative error curve up to there. Each group is judged by its first measure."""


def failure_rows(evaluated: Evaluated) -> list[Row] | None:
    """The first measure of each source and of each range of yaw."""
    by_source = FULL.rows(evaluated)
    if by_source is None:
        return None
    labels, scores = evaluated.labels, evaluated.full
    rows = list(by_source)
    for group in yaw_bins(labels, evaluated.attributes):
        measures = _first_measures(evaluated, group)
        rows += error_rows(labels, scores, [group], evaluated.comparison(scores), measures)
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(row.group, row)
    return list(first.values())


def failure_section(rows: Sequence[Row]) -> str:
    """Both figures of each set of predictions in one cell."""
    names = [cell.model for cell in rows[0].cells]
    heads = ["group", "measure", "faces", *(f"{name}: FR, AUC" for name in names)]
    body = [
        [row.group, row.measure, str(row.labelled)]
        + [f"{cell.failure_rate:.2f}, {cell.auc:.2f}" for cell in row.cells]
        for row in rows
    ]
    return table(heads, body)


def _first_measures(evaluated: Evaluated, group: Group) -> set[str]:
    """The first measure of each scheme that the group's faces are labelled in."""
    schemes = {evaluated.labels[i].scheme for i in group.members}
    return {
        next(iter(label_scheme(name, evaluated.topology).measures), "")
        for name in schemes
        if name is not None
    }


FAILURES = Table(
    key="failures",
    title=f"Full pipeline: FR@{THRESHOLD:g} and AUC@{THRESHOLD:g} [%]",
    note=_NOTE,
    compute=failure_rows,
    section=failure_section,
)
