"""Measures a network's systematic error on faces with human labels, to correct labels it makes.

A labelled point and the predicted place that it is compared with (a landmark, or the nearest place
on an outline, which is a mean of two landmarks) differ by a residual. The correction shifts each
landmark so that the residuals of all faces and of their mirror images are explained at once, by
least squares. Outlines are moved across, never along; a landmark that no label refers to moves with
its neighbours or stays.
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

# Weights, relative to one labelled point in each face: of a landmark staying where it is, and of it
# keeping its place among its neighbours on the mesh.
_STAY, _TOGETHER = 0.005, 0.02
# Smallest area that a face's axes span in the picture, relative to a frontal face. Closer to
# profile they are almost parallel, and one pixel would become an unbounded shift.
_FACING = 0.5


def fit_correction(
    labels: Sequence[LabelledFace],
    landmarks: Sequence[Float[np.ndarray, "n 3"] | None],
    topology: Topology,
    measures: Sequence[str] = (),
) -> Correction:
    """The shifts that bring landmarks closest to labels.

    Args:
        labels: Faces with human labels.
        landmarks: What a network predicted for each [picture px]; faces with None are ignored.
        topology: Scheme of the landmarks.
        measures: Measures of the label schemes to use. By default all but those that differ only in
            the length they divide by, and those that include a jaw labelled as a contour.

    Returns:
        The correction; `about` holds the number of `faces` it was measured on, their `licences`,
        and how many were left out because they are `turned` by more than about 60 degrees.

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
    """The matrix of the sum, over mesh neighbours, of the squared difference of their shifts."""
    first, second = topology.edges.T
    links = np.zeros((topology.points, topology.points))
    links[first, second] = links[second, first] = -0.5
    links += links[topology.mirror][:, topology.mirror]  # the triangles are not quite symmetric
    return np.asarray(links - np.diag(links.sum(1)))


def _parts(label: LabelledFace, topology: Topology, measures: Sequence[str]) -> list[Part]:
    """What a label is compared with; a point that two measures share counts once."""
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
    """For each labelled point, weights of the landmarks it is compared with, and residual [px]."""
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
