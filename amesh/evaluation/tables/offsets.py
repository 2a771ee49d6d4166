"""How far the full pipeline's predictions lie from the labels on average: a constant shift."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.comparison import Comparison
from amesh.evaluation.evaluated import Evaluated
from amesh.evaluation.labels.groups import Group, source_groups
from amesh.evaluation.labels.read import persons
from amesh.evaluation.markdown import interval, table
from amesh.evaluation.scores import Scores
from amesh.evaluation.table import Table
from amesh.metrics.bootstrap import Interval

_NOTE = """\
Random errors average out here. What remains is a shifted crop, labels that are shifted as a whole,
or points that the two schemes place differently."""


@dataclass(frozen=True)
class OffsetRow:
    """How far predictions of a group lie to the right of the labels and below them, on average.

    Attributes:
        group: Name of the group.
        offsets: Right and down [%], by the name of the set of predictions.
    """

    group: str
    offsets: dict[str, tuple[Interval, Interval]]


def offset_rows(
    labels: Sequence[LabelledFace],
    scores: Mapping[str, Scores],
    groups: Sequence[Group],
    comparison: Comparison,
) -> list[OffsetRow]:
    """Mean displacement by group, for the groups where it is known."""
    people = persons(labels)
    rows = []
    for group in groups:
        offsets = {}
        for name, scored in scores.items():
            known = group.members[~np.isnan(scored.offsets[group.members, 0])]
            right, down = (comparison.mean(side, people[known]) for side in scored.offsets[known].T)
            offsets[name] = (right, down)
        if any(not math.isnan(right.value) for right, _ in offsets.values()):
            rows.append(OffsetRow(group.name, offsets))
    return rows


def offset_section(rows: Sequence[OffsetRow]) -> str:
    """Right and down, side by side."""
    names = list(rows[0].offsets)
    body = [
        [row.group]
        + [", ".join(interval(side, "+.2f") for side in row.offsets[name]) for name in names]
        for row in rows
    ]
    return table(["group", *names], body)


def _compute(evaluated: Evaluated) -> list[OffsetRow] | None:
    labels, scores = evaluated.labels, evaluated.full
    if not scores:
        return None
    return offset_rows(labels, scores, source_groups(labels), evaluated.comparison(scores)) or None


OFFSETS = Table(
    key="offsets",
    title="Full pipeline: mean displacement against the labels, right and down [%]",
    note=_NOTE,
    compute=_compute,
    section=offset_section,
)
