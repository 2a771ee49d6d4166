"""Figures of an evaluation: groups of faces by measures, sets of predictions side by side."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.labels.groups import Group
from amesh.evaluation.labels.read import persons
from amesh.evaluation.tables.scores import Scores
from amesh.metrics.bootstrap import Interval, mean_interval, paired_change
from amesh.metrics.curves import area_under_curve, failure_rate

THRESHOLD = 10.0  # [%] of FR and AUC
FEW = 10  # Faces; a line with fewer says so, and tells little.
MARGIN = 3.0  # [%] by which a network may be worse than the reference and count as equal


@dataclass(frozen=True)
class Comparison:
    """How sets of predictions are compared.

    Attributes:
        reference: Name of the set that the others are compared with.
        resamples: Of the bootstrap.
        seed: Of the bootstrap; the same seed draws the same faces for every set.
    """

    reference: str
    resamples: int
    seed: int

    def mean(
        self, values: Float[np.ndarray, " n"], people: Int[np.ndarray, " n"] | None = None
    ) -> Interval:
        """The mean and its interval."""
        return mean_interval(values, people, resamples=self.resamples, seed=self.seed)

    def change(
        self,
        new: Float[np.ndarray, " n"],
        old: Float[np.ndarray, " n"],
        people: Int[np.ndarray, " n"] | None = None,
    ) -> Interval:
        """The change of the mean on the same faces, and its interval [%]."""
        return paired_change(new, old, people, resamples=self.resamples, seed=self.seed)


@dataclass(frozen=True)
class Cell:
    """One set of predictions, one group, one measure.

    Attributes:
        model: Name of the set of predictions.
        faces: Faces measured: those found, of those that carry such labels.
        error: Mean error over them [%].
        failure_rate: Faces missed or with an error above `THRESHOLD` [% of those with such labels].
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
        labelled: Faces that carry such labels.
        cells: One for each set of predictions.
    """

    group: str
    measure: str
    labelled: int
    cells: tuple[Cell, ...]


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


@dataclass(frozen=True)
class OffsetRow:
    """How far predictions of a group lie right and down of the labels, on average.

    Attributes:
        group: Name of the group.
        offsets: Right and down [%], by the name of the set of predictions.
    """

    group: str
    offsets: dict[str, tuple[Interval, Interval]]


@dataclass(frozen=True)
class Worse:
    """A line where a network is worse than the reference by more than `MARGIN`.

    Attributes:
        where: The table that the line is in.
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


def accuracy_rows(
    labels: Sequence[LabelledFace],
    scores: Mapping[str, Scores],
    groups: Sequence[Group],
    how: Comparison,
    measures: Collection[str] | None = None,
) -> list[Row]:
    """Errors by group and measure.

    Args:
        labels: What is known.
        scores: Of each set of predictions, the reference among them.
        groups: Labels that are scored together.
        how: What the sets are compared with, and the bootstrap.
        measures: Leaves the others out.
    """
    people = persons(labels)
    reference = scores[how.reference]
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
                change = how.change(errors[both], before[both], people[carry[both]])
                cells.append(
                    Cell(
                        model=name,
                        faces=int(found.sum()),
                        error=how.mean(errors[found], people[carry[found]]),
                        failure_rate=failure_rate(missed, THRESHOLD),
                        auc=area_under_curve(missed, THRESHOLD),
                        change=None if scored is reference else change,
                    )
                )
            rows.append(Row(group.name, measure, len(carry), tuple(cells)))
    return rows


def detection_rows(
    labels: Sequence[LabelledFace],
    scores: Mapping[str, Scores],
    groups: Sequence[Group],
    how: Comparison,
) -> list[DetectionRow]:
    """Share of the labelled faces that were found, by group."""
    people = persons(labels)
    rows = []
    for group in groups:
        rates = {}
        for name, scored in scores.items():
            found = 100.0 * scored.detected[group.members].astype(np.float64)
            rates[name] = how.mean(found, people[group.members])
        rows.append(DetectionRow(group.name, len(group.members), rates))
    return rows


def offset_rows(
    labels: Sequence[LabelledFace],
    scores: Mapping[str, Scores],
    groups: Sequence[Group],
    how: Comparison,
) -> list[OffsetRow]:
    """Mean displacement by group, of the groups where it is known."""
    people = persons(labels)
    rows = []
    for group in groups:
        offsets = {}
        for name, scored in scores.items():
            known = group.members[~np.isnan(scored.offsets[group.members, 0])]
            right, down = (how.mean(side, people[known]) for side in scored.offsets[known].T)
            offsets[name] = (right, down)
        if any(not math.isnan(right.value) for right, _ in offsets.values()):
            rows.append(OffsetRow(group.name, offsets))
    return rows


def worse_rows(tables: Mapping[str, Sequence[Row]]) -> list[Worse]:
    """Where a network is worse than the reference by more than `MARGIN`, worst first.

    Lines with few faces are left out: one face would decide them.
    """
    found = [
        Worse(where, row.group, row.measure, cell.model, cell.faces, cell.change)
        for where, rows in tables.items()
        for row in rows
        for cell in row.cells
        if cell.change is not None and cell.faces >= FEW and cell.change.value > MARGIN
    ]
    return sorted(found, key=lambda worse: -worse.change.value)
