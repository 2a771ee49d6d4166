"""Figures of an evaluation: groups of faces by measures, sets of predictions side by side."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from amesh.evaluation.accuracy import Scores, groups
from amesh.evaluation.labels import Label, persons
from amesh.metrics.bootstrap import Interval, mean_interval, paired_change
from amesh.metrics.curves import area_under_curve, failure_rate

THRESHOLD = 10.0  # [%] of FR and AUC


@dataclass(frozen=True)
class Cell:
    """One set of predictions, one group, one measure.

    Attributes:
        model: Name of the set of predictions.
        faces: Faces measured: those found, of those that carry such labels.
        error: Mean error over them [%].
        failure_rate: Faces missed or with an error above `THRESHOLD` [% of those with such labels].
        auc: Area under the cumulative error curve up to `THRESHOLD`; a missed face adds 0 [%].
        change: Against the first set, on the faces that both found [%]; None for the first.
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


def accuracy_rows(
    labels: Sequence[Label], scores: Mapping[str, Scores], resamples: int, seed: int
) -> list[Row]:
    """Errors by group and measure.

    Args:
        labels: What is known.
        scores: Of each set of predictions; later ones are compared with the first.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
    """
    people = persons(labels)
    first = next(iter(scores.values()))
    rows = []
    for group in groups(labels):
        for measure, labelled in first.labelled.items():
            carry = group.members[labelled[group.members]]
            if not len(carry):
                continue
            cells = []
            for name, scored in scores.items():
                errors, before = (side.errors[measure][carry] for side in (scored, first))
                found = ~np.isnan(errors)
                both = found & ~np.isnan(before)
                missed = np.where(found, errors, np.inf)
                options = {"resamples": resamples, "seed": seed}
                change = paired_change(errors[both], before[both], people[carry[both]], **options)
                cells.append(
                    Cell(
                        model=name,
                        faces=int(found.sum()),
                        error=mean_interval(errors[found], people[carry[found]], **options),
                        failure_rate=failure_rate(missed, THRESHOLD),
                        auc=area_under_curve(missed, THRESHOLD),
                        change=None if scored is first else change,
                    )
                )
            rows.append(Row(group.name, measure, len(carry), tuple(cells)))
    return rows


def detection_rows(
    labels: Sequence[Label], scores: Mapping[str, Scores], resamples: int, seed: int
) -> list[DetectionRow]:
    """Share of the labelled faces that were found, by group."""
    people = persons(labels)
    rows = []
    for group in groups(labels):
        rates = {}
        for name, scored in scores.items():
            found = 100.0 * scored.detected[group.members].astype(np.float64)
            rates[name] = mean_interval(
                found, people[group.members], resamples=resamples, seed=seed
            )
        rows.append(DetectionRow(group.name, len(group.members), rates))
    return rows


def offset_rows(
    labels: Sequence[Label], scores: Mapping[str, Scores], resamples: int, seed: int
) -> list[OffsetRow]:
    """Mean displacement by group, of the groups where it is known."""
    people = persons(labels)
    rows = []
    for group in groups(labels):
        offsets = {}
        for name, scored in scores.items():
            known = group.members[~np.isnan(scored.offsets[group.members, 0])]
            right, down = (
                mean_interval(side, people[known], resamples=resamples, seed=seed)
                for side in scored.offsets[known].T
            )
            offsets[name] = (right, down)
        if any(not math.isnan(right.value) for right, _ in offsets.values()):
            rows.append(OffsetRow(group.name, offsets))
    return rows
