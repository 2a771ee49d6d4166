"""Scores predicted faces against labelled ones."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.labels.label_schemes import label_scheme
from amesh.evaluation.labels.measures import (
    LabelScheme,
    common_points,
    face_errors,
    face_offset,
    labelled_measures,
    predicted_openings,
)
from amesh.topology.scheme import Topology

Landmarks = Float[np.ndarray, "n 3"]

# How a label is scored: its scheme by some map; None if it has no points.
SchemeOf = Callable[[LabelledFace, Topology], LabelScheme | None]

# Boxes of different faces: their centres are at least this far apart, over the longer side of the
# labelled one.
_SAME_FACE = 0.5


@dataclass(frozen=True, eq=False)
class Scores:
    """How one set of predictions did on f labelled faces.

    Attributes:
        detected: Whether a prediction was found for the labelled face.
        errors: The error of each face by each measure [%]; NaN where the face was missed or its
            labels do not allow the measure.
        labelled: Whether the labels of each face allow each measure.
        offsets: How far each prediction as a whole lies to the right of its label and below it [%];
            NaN where that is not known.
        openings: How far the right eye, the left eye and the mouth of each prediction are open, see
            `measures.opening`; NaN where that is not known.
    """

    detected: Bool[np.ndarray, " f"]
    errors: Mapping[str, Float[np.ndarray, " f"]]
    labelled: Mapping[str, Bool[np.ndarray, " f"]]
    offsets: Float[np.ndarray, "f 2"]
    openings: Float[np.ndarray, "f 3"]


def named_scheme(label: LabelledFace, topology: Topology) -> LabelScheme | None:
    """How a label is scored by the topology's map."""
    return None if label.scheme is None else label_scheme(label.scheme, topology)


def score(
    labels: Sequence[LabelledFace],
    faces: Callable[[LabelledFace], Sequence[Landmarks]],
    topology: Topology,
    scheme_of: SchemeOf = named_scheme,
) -> Scores:
    """Scores predictions.

    Args:
        labels: The labelled faces.
        faces: Gives all faces predicted in the picture of a label.
        topology: Of the predictions.
        scheme_of: How each label is scored.
    """
    same_picture: dict[Path, list[int]] = defaultdict(list)
    for i, label in enumerate(labels):
        same_picture[label.image].append(i)
    chosen: list[Landmarks | None] = [None] * len(labels)
    for members in same_picture.values():
        found = faces(labels[members[0]])
        for i, face in match([labels[i] for i in members], found, topology).items():
            chosen[members[i]] = found[face]
    return score_matched(labels, chosen, topology, scheme_of)


def score_matched(
    labels: Sequence[LabelledFace],
    chosen: Sequence[Landmarks | None],
    topology: Topology,
    scheme_of: SchemeOf = named_scheme,
) -> Scores:
    """Scores one prediction, or None, for each label."""
    errors: dict[str, Float[np.ndarray, " f"]] = {}
    labelled: dict[str, Bool[np.ndarray, " f"]] = {}
    offsets = np.full((len(labels), 2), np.nan)
    openings = np.full((len(labels), 3), np.nan)
    for i, (label, face) in enumerate(zip(labels, chosen, strict=True)):
        scheme = scheme_of(label, topology)
        for name in labelled_measures(scheme, label.points) if scheme else ():
            errors.setdefault(name, np.full(len(labels), np.nan))
            labelled.setdefault(name, np.zeros(len(labels), dtype=bool))[i] = True
        if scheme and face is not None:
            for name, error in face_errors(scheme, face, label.points).items():
                errors[name][i] = error
            openings[i] = predicted_openings(scheme, face)
            offsets[i] = face_offset(scheme, face, label.points)
    detected = np.array([face is not None for face in chosen], dtype=bool)
    return Scores(detected, errors, labelled, offsets, openings)


def match(
    labels: Sequence[LabelledFace], faces: Sequence[Landmarks], topology: Topology
) -> dict[int, int]:
    """Matches the predicted faces of a picture to the labelled ones.

    Pairs are taken in order of the overlap of their boxes, largest first. Boxes are around the
    points that both schemes have. A prediction serves one label; a label without points takes any
    face that is left.

    Returns:
        Index of the prediction for the index of each label that was found.
    """
    pairs = []
    for i, label in enumerate(labels):
        scheme = named_scheme(label, topology)
        for j, face in enumerate(faces):
            if scheme is None:
                pairs.append((-1.0, 0.0, i, j))
                continue
            theirs, ours = _boxes(scheme, label, face)
            away = float(
                np.linalg.norm(theirs.mean(0) - ours.mean(0)) / np.ptp(theirs, axis=0).max()
            )
            if away < _SAME_FACE:
                pairs.append((overlap(theirs, ours), -away, i, j))
    found: dict[int, int] = {}
    for _, _, i, j in sorted(pairs, reverse=True):
        if i not in found and j not in found.values():
            found[i] = j
    return found


def overlap(first: Float[np.ndarray, "2 2"], second: Float[np.ndarray, "2 2"]) -> float:
    """Intersection over union of two boxes, each two corners: low and high."""
    sides = np.minimum(first[1], second[1]) - np.maximum(first[0], second[0])
    shared = float(np.prod(sides.clip(min=0)))
    union = float(np.prod(first[1] - first[0]) + np.prod(second[1] - second[0])) - shared
    return shared / union if union > 0 else 0.0


def box(points: Float[np.ndarray, "p 2"]) -> Float[np.ndarray, "2 2"]:
    """The upright box around points, its low and its high corner."""
    return np.stack([points.min(0), points.max(0)])


def _boxes(
    scheme: LabelScheme, label: LabelledFace, face: Landmarks
) -> tuple[Float[np.ndarray, "2 2"], Float[np.ndarray, "2 2"]]:
    """Boxes of the labelled and of the predicted face, around the same points where possible."""
    if scheme.common is None:
        return box(label.points[:, :2]), box(face[:, :2])
    matrix, labelled = common_points(scheme.common, label.points)
    return box(labelled[:, :2]), box(matrix @ face[:, :2])
