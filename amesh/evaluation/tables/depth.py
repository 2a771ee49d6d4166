"""How well z agrees with labels that have a depth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.comparison import FEW, Comparison
from amesh.evaluation.evaluated import Evaluated
from amesh.evaluation.labels.groups import Group, source_groups, yaw_bins
from amesh.evaluation.labels.label_schemes import label_scheme
from amesh.evaluation.labels.measures import normaliser_length
from amesh.evaluation.labels.read import persons
from amesh.evaluation.markdown import interval, table
from amesh.evaluation.table import Table
from amesh.metrics.bootstrap import Interval
from amesh.metrics.depth import DepthAgreement, depth_agreement
from amesh.topology.scheme import Topology

_NOTE = """\
In regions of interest from the labels, over the points that mark the same place in both schemes,
face by face, after the mean depth of each face is taken off: `rms` of the difference, in % of the
3-D distance between the outer eye corners; `correlation` over the points of a face; `slope` of
predicted over true depth (below 1, faces are too flat). Means over faces."""

QUANTITIES = {"rms [%]": ".2f", "correlation": ".3f", "slope": ".3f"}  # and how they are written


@dataclass(frozen=True)
class DepthRow:
    """One quantity on one group.

    Attributes:
        group: Name of the group.
        quantity: What was measured, of `QUANTITIES`.
        faces: Number of faces whose labels have a depth.
        values: Its mean over the faces, by the name of the network.
        changes: Change of the rms against the reference [%], by the name of each other network.
    """

    group: str
    quantity: str
    faces: int
    values: dict[str, Interval]
    changes: dict[str, Interval]


def face_depth(
    label: LabelledFace, landmarks: Float[np.ndarray, "n 3"] | None, topology: Topology
) -> DepthAgreement | None:
    """How well the depth of one face agrees; the rms in % of the distance between the eyes.

    None where there is no prediction, or the label has a depth at less than two points in common,
    or at an outer eye corner none.
    """
    if landmarks is None or label.scheme is None or label.points.shape[1] < 3:
        return None
    scheme = label_scheme(label.scheme, topology)
    if scheme.common is None or scheme.eye_corners is None:
        return None
    unit = normaliser_length(scheme.eye_corners, label.points)
    truth = label.points[list(scheme.common.labelled), 2]
    known = np.isfinite(truth)
    corners = label.points[list(scheme.eye_corners)]
    if known.sum() < 2 or not np.isfinite(corners).all() or not unit > 0:
        return None
    found = depth_agreement((scheme.common.matrix @ landmarks[:, 2])[known], truth[known])
    return found._replace(rms=100 * found.rms / unit)


def depth_rows(
    labels: Sequence[LabelledFace],
    found: Mapping[str, Sequence[DepthAgreement | None]],
    groups: Sequence[Group],
    comparison: Comparison,
) -> list[DepthRow]:
    """Rows for each group, over the faces that every network has a depth for."""
    people = persons(labels)
    nothing = DepthAgreement(np.nan, np.nan, np.nan)
    tables = {name: np.array([face or nothing for face in faces]) for name, faces in found.items()}
    rows = []
    for group in groups:
        known = np.all([np.isfinite(each[group.members]).all(1) for each in tables.values()], 0)
        members = group.members[known]
        if not len(members):
            continue
        for i, quantity in enumerate(QUANTITIES):
            values = {name: each[members, i] for name, each in tables.items()}
            reference = values[comparison.reference]
            changes = {
                name: comparison.change(each, reference, people[members])
                for name, each in values.items()
                if i == 0 and name != comparison.reference
            }
            means = {name: comparison.mean(each, people[members]) for name, each in values.items()}
            rows.append(DepthRow(group.name, quantity, len(members), means, changes))
    return rows


def depth_section(rows: Sequence[DepthRow]) -> str:
    """Networks side by side."""
    names, compared = list(rows[0].values), list(rows[0].changes)
    heads = ["group", "quantity", "faces", *names, *(f"{name}: change [%]" for name in compared)]
    body = [
        [row.group, row.quantity, f"{row.faces}{' (few)' if row.faces < FEW else ''}"]
        + [interval(value, QUANTITIES[row.quantity]) for value in row.values.values()]
        + [interval(row.changes[name], "+.2f") if row.changes else "" for name in compared]
        for row in rows
    ]
    return table(heads, body)


def _compute(evaluated: Evaluated) -> list[DepthRow] | None:
    labels, runs = evaluated.labels, evaluated.runs
    if not runs:
        return None
    found = {
        name: [
            face_depth(label, face, evaluated.topology)
            for label, face in zip(labels, run.in_roi, strict=True)
        ]
        for name, run in runs.items()
    }
    if all(face is None for faces in found.values() for face in faces):
        return None
    groups = source_groups(labels) + yaw_bins(labels, evaluated.attributes)
    return depth_rows(labels, found, groups, evaluated.comparison(runs)) or None


DEPTH = Table(
    key="depth",
    title="Depth: z against the labels'",
    note=_NOTE,
    compute=_compute,
    section=depth_section,
)
