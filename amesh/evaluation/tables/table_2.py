"""The paper's Table 2: mesh, cascade and attention mesh over all points, lips and eyes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.comparison import FEW, Comparison
from amesh.evaluation.evaluated import Evaluated
from amesh.evaluation.labels.groups import Group, main_groups
from amesh.evaluation.labels.label_schemes import label_scheme
from amesh.evaluation.markdown import interval, table
from amesh.evaluation.scores import Scores
from amesh.evaluation.table import Table
from amesh.evaluation.tables.errors import Row, error_rows
from amesh.topology.scheme import Topology

COLUMNS = ("All", "Lips", "Eyes")

# arXiv 2006.10962, Table 2 [%]. Other faces, other labels and other networks: never in one table
# with measured figures.
PAPER: Mapping[str, tuple[float, float, float]] = {
    "Mesh": (2.99, 3.28, 6.60),
    "Cascade": (2.99, 2.70, 6.28),
    "Attention mesh": (3.11, 2.89, 6.04),
}


@dataclass(frozen=True)
class Table2:
    """Table 2 on one group of faces that are labelled in one scheme.

    Attributes:
        group: Name of the group.
        scheme: The label scheme.
        measures: The measures that stand for All, Lips and Eyes.
        deep: Whether the lengths that errors are divided by are measured in 3-D.
        sources: Number of faces by source.
        rows: One each for All, Lips and Eyes.
    """

    group: str
    scheme: str
    measures: tuple[str, ...]
    deep: bool
    sources: dict[str, int]
    rows: tuple[Row, ...]


def tables_2(
    labels: Sequence[LabelledFace],
    scores: Mapping[str, Scores],
    comparison: Comparison,
    topology: Topology,
) -> list[Table2]:
    """Table 2 of every main group whose labels have all three columns.

    Args:
        labels: The labelled faces.
        scores: Of the networks, in the regions of interest that the labels give.
        comparison: The reference, and the bootstrap.
        topology: Of the predictions.
    """
    found = []
    for main in main_groups(labels):
        for name in dict.fromkeys(labels[i].scheme for i in main.members):
            scheme = None if name is None else label_scheme(name, topology)
            if scheme is None or not scheme.table_2:
                continue
            members = [i for i in main.members.tolist() if labels[i].scheme == name]
            group = Group(main.name, np.array(members))
            measures = tuple(scheme.columns[column] for column in COLUMNS)
            rows = error_rows(labels, scores, [group], comparison, measures)
            by_name = {row.measure: row for row in rows}
            if len(by_name) == len(COLUMNS):
                deep = all(labels[i].points.shape[1] == 3 for i in members)
                sources = dict(Counter(labels[i].source for i in members))
                ordered = tuple(by_name[measure] for measure in measures)
                found.append(Table2(main.name, scheme.name, measures, deep, sources, ordered))
    return found


def table_2_section(tables: Sequence[Table2]) -> str:
    """The tables, each with what it was measured on, followed by the paper's own figures."""
    blocks = [block for one in tables for block in (_caption(one), _table(one))]
    rows = [[name, *(f"{value:.2f}" for value in values)] for name, values in PAPER.items()]
    blocks += [
        "The paper's own figures (arXiv 2006.10962, Table 2), on its own data. They give context\n"
        "but cannot be compared directly with the measured ones:",
        table(["network", *COLUMNS], rows),
    ]
    return "\n\n".join(blocks)


def _compute(evaluated: Evaluated) -> list[Table2] | None:
    scores = evaluated.in_roi
    if not scores:
        return None
    comparison = evaluated.comparison(scores)
    return tables_2(evaluated.labels, scores, comparison, evaluated.topology) or None


def _caption(found: Table2) -> str:
    sources = ", ".join(f"{count} of {name}" for name, count in found.sources.items())
    faces = sum(found.sources.values())
    few = f"; fewer than {FEW} faces, read with care" if faces < FEW else ""
    space = "3-D" if found.deep else "2-D"
    names = ", ".join(
        f"{column} is `{m}`" for column, m in zip(COLUMNS, found.measures, strict=True)
    )
    return (
        f"**{found.group}**: {faces} faces ({sources}), labelled in `{found.scheme}`{few}.\n"
        "Crops: regions of interest from the labels, no detector. Mean 2-D distance in % of the\n"
        "distance between the outer eye corners (All), the corners of the lips (Lips) or those of\n"
        f"the same eye (Eyes); these lengths are measured in {space}. {names}."
    )


def _table(found: Table2) -> str:
    heads = ["network", *COLUMNS, *(f"{column}: change [%]" for column in COLUMNS)]
    lines = []
    for i, first in enumerate(found.rows[0].cells):
        cells = [row.cells[i] for row in found.rows]
        changes = [
            "reference" if cell.change is None else interval(cell.change, "+.2f") for cell in cells
        ]
        lines.append([first.model, *(interval(cell.error) for cell in cells), *changes])
    return table(heads, lines)


TABLE_2 = Table(
    key="table_2",
    title="Table 2",
    compute=_compute,
    section=table_2_section,
)
