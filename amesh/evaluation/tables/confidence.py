"""Whether landmarks are wrong where the network says so: its expected errors, and its confidence.

Every labelled point that marks the same place as a landmark, or as the middle of some, counts once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from amesh.charts import Panel, Point, line_charts
from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.evaluated import Evaluated
from amesh.evaluation.labels.groups import source_groups
from amesh.evaluation.labels.label_schemes import label_scheme
from amesh.evaluation.labels.measures import common_points
from amesh.evaluation.markdown import table
from amesh.evaluation.models import ModelRun
from amesh.evaluation.table import Table
from amesh.metrics.ranks import spearman
from amesh.pipeline.confidence import TOLERANCE, frontal_eye_distance, within
from amesh.topology.scheme import Topology

_CHART = "confidence.svg"
_PARTS = 10
_EVERYTHING = "all"

_NOTE = f"""\
A network may predict the error of each landmark. Rank correlation (Spearman's) of the predicted
with the measured errors, over all points of a group, and over its faces by their means. Confidence
is the stated probability that a landmark lies within {100 * TOLERANCE:g} % of its true place (of
the distance that the outer eye corners of the face have from the front); measured is the share of
the points that do. Annotators err, too, so even perfect landmarks would not all be within it.
Regions of interest are those of the labels."""


class Part(NamedTuple):
    """A tenth of the points, by their confidence.

    Attributes:
        stated: Mean confidence [%].
        measured: Share within the tolerance [%].
        error: Mean error [% of the eye distance].
    """

    stated: float
    measured: float
    error: float


@dataclass(frozen=True)
class ConfidenceRow:
    """One network on one group of faces.

    Attributes:
        model: Name of the network.
        group: Name of the group.
        faces: Number of faces.
        points: Number of points.
        by_point: Rank correlation of expected and measured errors over points.
        by_face: The same over the faces' means.
        stated: Mean confidence [%].
        measured: Share of the points within the tolerance [%].
        parts: Tenths of the points, the least confident first.
    """

    model: str
    group: str
    faces: int
    points: int
    by_point: float
    by_face: float
    stated: float
    measured: float
    parts: tuple[Part, ...]

    @property
    def apart(self) -> float:
        """Mean distance of stated and measured over the tenths [%]."""
        return float(np.mean([abs(part.stated - part.measured) for part in self.parts]))


@dataclass(frozen=True, eq=False)
class _Judged:
    """The labelled points of one face, in units of its eye distance from the front."""

    expected: Float[np.ndarray, " k"]
    errors: Float[np.ndarray, " k"]


def confidence_rows(
    labels: Sequence[LabelledFace], runs: Mapping[str, ModelRun], topology: Topology
) -> list[ConfidenceRow]:
    """Rows by network and group; those of networks that predict no errors are left out.

    Args:
        labels: The labelled faces.
        runs: What the networks predicted in the labels' regions, by name.
        topology: Of the predictions.
    """
    groups = {group.name: group.members for group in source_groups(labels)}
    if len(groups) > 1:
        groups = {_EVERYTHING: np.arange(len(labels)), **groups}
    rows = []
    for model, run in runs.items():
        judged = [
            _judge(label, landmarks, expected, topology)
            for label, landmarks, expected in zip(labels, run.in_roi, run.errors, strict=True)
        ]
        for group, members in groups.items():
            faces = [face for i in members if (face := judged[i]) is not None]
            if faces:
                rows.append(_row(model, group, faces))
    return rows


def _judge(
    label: LabelledFace,
    landmarks: Float[np.ndarray, "n 3"] | None,
    expected: Float[np.ndarray, " n"] | None,
    topology: Topology,
) -> _Judged | None:
    scheme = None if label.scheme is None else label_scheme(label.scheme, topology)
    if scheme is None or scheme.common is None or landmarks is None or expected is None:
        return None
    matrix, theirs = common_points(scheme.common, label.points)
    unit = frontal_eye_distance(landmarks, topology)
    if not len(theirs) or not unit > 0:
        return None
    errors = np.linalg.norm(matrix @ landmarks[:, :2] - theirs[:, :2], axis=1)
    return _Judged(np.abs(matrix) @ expected / unit, errors / unit)


def _row(model: str, group: str, faces: Sequence[_Judged]) -> ConfidenceRow:
    expected = np.concatenate([face.expected for face in faces])
    errors = np.concatenate([face.errors for face in faces])
    confidence, right = within(expected, TOLERANCE), errors <= TOLERANCE
    means = np.array([(face.expected.mean(), face.errors.mean()) for face in faces])
    return ConfidenceRow(
        model,
        group,
        len(faces),
        len(errors),
        spearman(expected, errors),
        spearman(means[:, 0], means[:, 1]),
        100 * float(confidence.mean()),
        100 * float(right.mean()),
        parts(confidence, right, errors),
    )


def parts(
    confidence: Float[np.ndarray, " p"],
    right: Bool[np.ndarray, " p"],
    errors: Float[np.ndarray, " p"],
) -> tuple[Part, ...]:
    """Splits points into tenths by their confidence, the least confident first.

    Args:
        confidence: Stated probability that each point is right.
        right: Whether it is.
        errors: How far it is off [eye distances].
    """
    order = np.argsort(confidence, kind="stable")
    return tuple(
        Part(*(100 * float(values[rows].mean()) for values in (confidence, right, errors)))
        for rows in np.array_split(order, min(_PARTS, len(order)))
    )


def confidence_section(rows: Sequence[ConfidenceRow]) -> str:
    """A table of the groups, one of the tenths of the first group, and the chart."""
    heads = ["network", "group", "faces", "points", "by point", "by face"]
    body = [
        [row.model, row.group, str(row.faces), str(row.points)]
        + [f"{value:.2f}" for value in (row.by_point, row.by_face)]
        + [f"{value:.1f}" for value in (row.stated, row.measured, row.apart)]
        for row in rows
    ]
    blocks = [table([*heads, "stated [%]", "measured [%]", "apart [%]"], body)]
    for row in _first_of_each(rows):
        head = f"{row.model}, {row.group}: tenths of the points, by confidence"
        columns = zip(*row.parts, strict=True)
        names = ("stated [%]", "measured [%]", "mean error [%]")
        lines = [
            [name, *(f"{value:.1f}" for value in values)]
            for name, values in zip(names, columns, strict=True)
        ]
        blocks.append(f"{head}\n\n{table(['', *map(str, range(1, len(row.parts) + 1))], lines)}")
    return "\n\n".join([*blocks, f"![Stated and measured confidence]({_CHART})"])


def confidence_chart(rows: Sequence[ConfidenceRow]) -> str:
    """Measured against stated confidence, a panel for each network, as SVG."""
    panels = []
    for model in dict.fromkeys(row.model for row in rows):
        own = [row for row in rows if row.model == model]
        least = min(row.parts[0].stated for row in own)
        lines = {"as stated": [Point(least, least), Point(100, 100)]}
        lines |= {
            row.group: [Point(part.stated, part.measured) for part in row.parts] for row in own
        }
        panels.append(Panel(model, "stated confidence [%]", lines))
    return line_charts(panels, "measured [%]")


def _first_of_each(rows: Sequence[ConfidenceRow]) -> list[ConfidenceRow]:
    """The first row of each network."""
    return list({row.model: row for row in reversed(rows)}.values())[::-1]


def _compute(evaluated: Evaluated) -> list[ConfidenceRow] | None:
    return confidence_rows(evaluated.labels, evaluated.runs, evaluated.topology) or None


CONFIDENCE = Table(
    key="confidence",
    title="Confidence of landmarks: stated and measured",
    note=_NOTE,
    compute=_compute,
    section=confidence_section,
    files=lambda rows: {_CHART: confidence_chart(rows).encode()},
)
