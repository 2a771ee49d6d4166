"""Measures a network's habits on faces that people labelled: the correction of its labels.

A labelled point and the place of ours that it is compared with (a landmark, or the nearest place on
an outline, which is a mean of two landmarks) differ by a residual. The shifts are those that
explain the residuals of all faces at once, and their mirror images, in the sense of least squares:
outlines are moved across, never along, and what no label speaks of moves with its neighbours or
stays.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from amesh.data.correction import Correction, face_axes
from amesh.data.sources.labelled_face import LabelledFace
from amesh.errors import UserError
from amesh.evaluation.labels.label_schemes import label_scheme
from amesh.evaluation.labels.measures import Part
from amesh.metrics.points import nearest_on_polyline
from amesh.topology.scheme import Topology

# Against one labelled point in each face: how firmly a landmark stays, and how firmly it keeps its
# place among its neighbours on the mesh.
_STAY, _TOGETHER = 0.005, 0.02
# The area that a face's axes span in the picture, against that of a face seen from the front.
# Nearer to a profile they are almost parallel: a pixel would become a shift without bounds.
_FACING = 0.5


def fit_correction(
    labels: Sequence[LabelledFace],
    landmarks: Sequence[Float[np.ndarray, "n 3"] | None],
    topology: Topology,
    measures: Sequence[str] = (),
) -> Correction:
    """The shifts that bring landmarks nearest to labels.

    Args:
        labels: Faces labelled by people.
        landmarks: What a network found in each [px of the picture]; None counts nothing.
        topology: Of the landmarks.
        measures: Of the label schemes; where there are none, all of them but those that only
            divide by another length, and those that take in a jaw that people see as a contour.

    Returns:
        The correction; `about` says how many `faces` it was measured on, under which `licences`,
        and how many were left out because they are `turned` away by more than about 60 degrees.

    Raises:
        UserError: No label has such a measure, or all such faces are turned too far.
    """
    n = topology.points
    normal, right_side = np.zeros((n, n)), np.zeros((n, 2))
    faces = turned = 0
    licences = Counter[str]()
    for label, found in zip(labels, landmarks, strict=True):
        if found is None or label.scheme is None:
            continue
        parts = _parts(label, topology, measures)
        if not parts:
            continue
        axes = face_axes(found, topology)
        if np.linalg.det(axes) < _FACING * _eye_distance(found, topology) ** 2:
            turned += 1
            continue
        back = np.linalg.inv(axes)
        faces += 1
        licences[label.licence or "not stated"] += 1
        for part in parts:
            rows, residuals = _residuals(part, found[:, :2], label.points[:, :2])
            shifts = residuals @ back
            mirrored, reflected = rows[:, topology.mirror], shifts * (-1, 1)
            normal += rows.T @ rows + mirrored.T @ mirrored
            right_side += rows.T @ shifts + mirrored.T @ reflected
    if turned and not faces:
        raise UserError(f"correction: all of {turned} labelled faces are turned too far")
    if not faces:
        names = ", ".join(measures) or "any measure"
        raise UserError(f"correction: no labelled face has {names}")
    links = _links(topology)
    system = normal / (2 * faces) + _TOGETHER * links + _STAY * np.eye(n)
    shifts = np.linalg.solve(system, right_side / (2 * faces))
    about = {
        "faces": faces,
        "turned": turned,
        "measures": list(measures),
        "licences": dict(sorted(licences.items())),
    }
    return Correction(topology.name, shifts, about)


def _links(topology: Topology) -> Float[np.ndarray, "n n"]:
    """The sum over neighbours on the mesh of the squared difference of their shifts, as a form."""
    first, second = topology.edges.T
    links = np.zeros((topology.points, topology.points))
    links[first, second] = links[second, first] = -0.5
    links += links[topology.mirror][:, topology.mirror]  # the triangles are not quite symmetric
    return np.asarray(links - np.diag(links.sum(1)))


def _parts(label: LabelledFace, topology: Topology, measures: Sequence[str]) -> list[Part]:
    """What a label is compared with; a point that two measures share is taken once."""
    known = label_scheme(label.scheme or "", topology).measures
    names = measures or [
        name for name in known if not name.startswith("all_") and not name.endswith("_by_width")
    ]
    parts: list[Part] = []
    seen: set[int] = set()
    for part in (part for name in names for part in known.get(name, ())):
        if part.curve:
            parts.append(part)
            continue
        new = [i for i, point in enumerate(part.labelled) if point not in seen]
        seen |= set(part.labelled)
        if new:
            labelled = tuple(part.labelled[i] for i in new)
            parts.append(replace(part, labelled=labelled, matrix=part.matrix[new]))
    return parts


def _eye_distance(landmarks: Float[np.ndarray, "n 3"], topology: Topology) -> float:
    right, left = topology.normalisers["outer_eye_corners"]
    return float(np.linalg.norm(landmarks[left] - landmarks[right]))


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
