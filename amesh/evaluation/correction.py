"""Measures a network's habits on faces that people labelled: the correction of its labels.

A labelled point and the place of ours that it is compared with (a landmark, or the nearest place on
an outline, which is a mean of two landmarks) differ by a residual. The shifts are those that
explain the residuals of all faces at once, and their mirror images, in the sense of least squares:
outlines are moved across, never along, and what no label speaks of moves with its neighbours or
stays.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from amesh.data.correction import Correction, face_axes
from amesh.errors import UserError
from amesh.evaluation.labels import Label
from amesh.evaluation.measures import Part
from amesh.evaluation.schemes import label_scheme
from amesh.metrics.points import nearest_on_polyline
from amesh.topology.scheme import Topology

# Against one labelled point in each face: how firmly a landmark stays, and how firmly it keeps its
# place among its neighbours on the mesh.
_STAY, _TOGETHER = 0.005, 0.02


def fit_correction(
    labels: Sequence[Label],
    landmarks: Sequence[Float[np.ndarray, "n 3"] | None],
    topology: Topology,
    measures: Sequence[str] = (),
) -> Correction:
    """The shifts that bring landmarks nearest to labels.

    Args:
        labels: Faces labelled by people.
        landmarks: What a network found in each [px of the picture]; None counts nothing.
        topology: Of the landmarks.
        measures: Of the label schemes; all of them where there are none.

    Raises:
        UserError: No label has such a measure.
    """
    n = topology.points
    normal, right_side = np.zeros((n, n)), np.zeros((n, 2))
    faces = 0
    for label, found in zip(labels, landmarks, strict=True):
        if found is None or label.scheme is None:
            continue
        parts = _parts(label, topology, measures)
        back = np.linalg.inv(face_axes(found, topology))
        faces += bool(parts)
        for part in parts:
            rows, residuals = _residuals(part, found[:, :2], label.points[:, :2])
            shifts = residuals @ back
            mirrored, reflected = rows[:, topology.mirror], shifts * (-1, 1)
            normal += rows.T @ rows + mirrored.T @ mirrored
            right_side += rows.T @ shifts + mirrored.T @ reflected
    if not faces:
        names = ", ".join(measures) or "any measure"
        raise UserError(f"correction: no labelled face has {names}")
    links = _links(topology)
    system = normal / (2 * faces) + _TOGETHER * links + _STAY * np.eye(n)
    shifts = np.linalg.solve(system, right_side / (2 * faces))
    return Correction(topology.name, shifts, {"faces": faces, "measures": list(measures)})


def _links(topology: Topology) -> Float[np.ndarray, "n n"]:
    """The sum over neighbours on the mesh of the squared difference of their shifts, as a form."""
    first, second = topology.edges.T
    links = np.zeros((topology.points, topology.points))
    links[first, second] = links[second, first] = -0.5
    links += links[topology.mirror][:, topology.mirror]  # the triangles are not quite symmetric
    return np.asarray(links - np.diag(links.sum(1)))


def _parts(label: Label, topology: Topology, measures: Sequence[str]) -> list[Part]:
    known = label_scheme(label.scheme or "", topology).measures
    return [part for name in measures or known for part in known.get(name, ())]


def _residuals(
    part: Part, ours: Float[np.ndarray, "n 2"], theirs: Float[np.ndarray, "p 2"]
) -> tuple[Float[np.ndarray, "k n"], Float[np.ndarray, "k 2"]]:
    """For each labelled point the landmarks it is compared with, and how far off it lies [px]."""
    points = theirs[list(part.labelled)]
    known = np.isfinite(points).all(1)
    rows = part.matrix
    if part.curve:
        segment, position = nearest_on_polyline(points[known], rows @ ours)
        share = position[:, None]
        rows = (1 - share) * rows[segment] + share * rows[segment + 1]
    else:
        rows = rows[known]
    return rows, points[known] - rows @ ours
