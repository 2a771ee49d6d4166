"""How many of the labelled faces the full pipeline finds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.comparison import Comparison
from amesh.evaluation.evaluated import Evaluated
from amesh.evaluation.labels.groups import Group, source_groups, yaw_bins
from amesh.evaluation.labels.read import persons
from amesh.evaluation.markdown import table
from amesh.evaluation.scores import Scores
from amesh.evaluation.table import Table
from amesh.metrics.bootstrap import Interval


@dataclass(frozen=True)
class DetectionRow:
    """How many faces of a group were found.

    Attributes:
        group: Name of the group.
        labelled: Faces in it.
        rates: Share found, by the name of the set of predictions [%].
    """

    group: str
    labelled: int
    rates: dict[str, Interval]


def detection_rows(
    labels: Sequence[LabelledFace],
    scores: Mapping[str, Scores],
    groups: Sequence[Group],
    comparison: Comparison,
) -> list[DetectionRow]:
    """Share of the labelled faces that were found, by group."""
    people = persons(labels)
    rows = []
    for group in groups:
        rates = {}
        for name, scored in scores.items():
            found = 100.0 * scored.detected[group.members].astype(np.float64)
            rates[name] = comparison.mean(found, people[group.members])
        rows.append(DetectionRow(group.name, len(group.members), rates))
    return rows


def detection_section(rows: Sequence[DetectionRow]) -> str:
    """Shares, and the counts behind them."""

    def rate(row: DetectionRow, name: str) -> str:
        found = round(row.rates[name].value * row.labelled / 100)
        return f"{row.rates[name].value:.2f} ({found} of {row.labelled})"

    names = list(rows[0].rates)
    return table(["group", *names], [[row.group, *(rate(row, n) for n in names)] for row in rows])


def _compute(evaluated: Evaluated) -> list[DetectionRow] | None:
    scores = evaluated.full
    if not scores:
        return None
    groups = [*source_groups(evaluated.labels), *yaw_bins(evaluated.labels, evaluated.attributes)]
    return detection_rows(evaluated.labels, scores, groups, evaluated.comparison(scores))


DETECTION = Table(
    key="detection",
    title="Faces found [%]",
    compute=_compute,
    section=detection_section,
)
