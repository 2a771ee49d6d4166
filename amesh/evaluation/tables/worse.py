"""Where a network is worse than the reference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from amesh.evaluation.comparison import FEW
from amesh.evaluation.evaluated import Evaluated
from amesh.evaluation.markdown import interval, table
from amesh.evaluation.table import Table
from amesh.evaluation.tables.bins import BINS
from amesh.evaluation.tables.errors import FULL, IN_ROI, Row
from amesh.metrics.bootstrap import Interval

MARGIN = 3.0  # [%] by which a network may be worse than the reference and still count as equal
_LINES = 30  # shown in Markdown


@dataclass(frozen=True)
class Worse:
    """A row in which a network is worse than the reference by more than `MARGIN`.

    Attributes:
        where: The table that has the row.
        group: Name of the group.
        measure: Name of the measure.
        model: Name of the network.
        faces: Faces measured.
        change: Against the reference [%].
    """

    where: str
    group: str
    measure: str
    model: str
    faces: int
    change: Interval


def worse_rows(tables: Mapping[str, Sequence[Row]]) -> list[Worse]:
    """Where a network is worse than the reference by more than `MARGIN`, worst first.

    Rows with few faces are left out: a single face would decide them.

    Args:
        tables: Rows of tables, by the name that the result calls them.
    """
    found = [
        Worse(where, row.group, row.measure, cell.model, cell.faces, cell.change)
        for where, rows in tables.items()
        for row in rows
        for cell in row.cells
        if cell.change is not None and cell.faces >= FEW and cell.change.value > MARGIN
    ]
    return sorted(found, key=lambda worse: -worse.change.value)


def worse_section(rows: Sequence[Worse]) -> str:
    """The worst rows, or a sentence that there are none."""
    if not rows:
        return f"Nowhere, in rows with {FEW} faces or more."
    more = f"\n\nAnd {len(rows) - _LINES} more, in evaluation.json." if len(rows) > _LINES else ""
    body = [
        [row.where, row.group, row.measure, str(row.faces), row.model, interval(row.change, "+.2f")]
        for row in rows[:_LINES]
    ]
    return table(["table", "group", "measure", "faces", "network", "change [%]"], body) + more


def _compute(evaluated: Evaluated) -> list[Worse] | None:
    """None where there is only the reference."""
    by_source = {
        "labels' crops": IN_ROI.rows(evaluated) or [],
        "full pipeline": FULL.rows(evaluated) or [],
    }
    cells = [cell for rows in by_source.values() for row in rows for cell in row.cells]
    if all(cell.change is None for cell in cells):
        return None
    bins = BINS.rows(evaluated)
    return worse_rows(by_source | (bins.rows if bins else {}))


WORSE = Table(
    key="worse",
    title=f"Worse than the reference by more than {MARGIN:g} %",
    compute=_compute,
    section=worse_section,
)
