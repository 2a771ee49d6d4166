"""Errors by fitted maps: without the part that is a difference of definitions."""

from collections.abc import Callable, Mapping
from functools import partial

from amesh.evaluation.evaluated import Evaluated
from amesh.evaluation.labels.fitted_maps import fitted_scheme
from amesh.evaluation.labels.groups import source_groups
from amesh.evaluation.scores import Scores, score, score_matched
from amesh.evaluation.table import Table
from amesh.evaluation.tables.errors import Row, error_rows, error_section

_NOTE = """\
The same faces and measures by a fairer map. Above, a labelled point is compared with the landmark
of the same name; here, with the landmark or the midpoint of two landmarks that lies nearest to it
on annotated faces. The map that scores a face was fitted to other faces, with the predictions of
`released-192` and `face-landmarker-v2` together. Do not compare figures of the two maps."""


def _rows(
    evaluated: Evaluated, scores: Callable[[Evaluated, list[int]], Mapping[str, Scores]]
) -> list[Row] | None:
    """Errors of the faces whose scheme has a fitted map."""
    members = [
        i
        for i, label in enumerate(evaluated.labels)
        if fitted_scheme(label, evaluated.topology) is not None
    ]
    if not members:
        return None
    labels = [evaluated.labels[i] for i in members]
    if not (found := scores(evaluated, members)):
        return None
    measures = {
        name for each in found.values() for name in each.labelled if not name.endswith("_by_width")
    }
    groups = source_groups(labels)
    return error_rows(labels, found, groups, evaluated.comparison(found), measures) or None


def _in_roi(evaluated: Evaluated, members: list[int]) -> dict[str, Scores]:
    labels = [evaluated.labels[i] for i in members]
    return {
        name: score_matched(
            labels, [run.in_roi[i] for i in members], evaluated.topology, fitted_scheme
        )
        for name, run in evaluated.runs.items()
    }


def _full(evaluated: Evaluated, members: list[int]) -> dict[str, Scores]:
    labels = [evaluated.labels[i] for i in members]
    return {
        found.name: score(labels, found.of, evaluated.topology, fitted_scheme)
        for found in evaluated.predictions
    }


FITTED_IN_ROI = Table(
    key="fitted_in_roi",
    title="Fitted map, region of interest taken from the labels: error [%]",
    note=_NOTE,
    compute=partial(_rows, scores=_in_roi),
    section=error_section,
)
FITTED_FULL = Table(
    key="fitted_full",
    title="Fitted map, full pipeline: error on the faces found [%]",
    compute=partial(_rows, scores=_full),
    section=error_section,
)
