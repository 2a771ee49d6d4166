"""Scores of predicted faces against labelled ones."""

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
)
from amesh.topology.scheme import Topology

Landmarks = Float[np.ndarray, "n 3"]

# A predicted face further from the labelled one than this, between the centres of their boxes over
# the longer side of the labelled box, is another face.
_SAME_FACE = 0.5


@dataclass(frozen=True, eq=False)
class Scores:
    """How one set of predictions did on f labels.

    Attributes:
        detected: Whether a prediction was found for the labelled face.
        errors: The error of each face by every measure [%]; not-a-number where the face was missed
            or its labels lack the measure.
        labelled: Whether each label has the measure.
        offsets: How far right and down each prediction lies of its label as a whole [%];
            not-a-number where that is not known.
    """

    detected: Bool[np.ndarray, " f"]
    errors: Mapping[str, Float[np.ndarray, " f"]]
    labelled: Mapping[str, Bool[np.ndarray, " f"]]
    offsets: Float[np.ndarray, "f 2"]


def score(
    labels: Sequence[LabelledFace],
    faces: Callable[[LabelledFace], Sequence[Landmarks]],
    topology: Topology,
) -> Scores:
    """Scores predictions.

    Args:
        labels: What is known.
        faces: All faces predicted in the picture of a label.
        topology: Of the predictions.
    """
    same_picture: dict[Path, list[int]] = defaultdict(list)
    for i, label in enumerate(labels):
        same_picture[label.image].append(i)
    chosen: list[Landmarks | None] = [None] * len(labels)
    for members in same_picture.values():
        found = faces(labels[members[0]])
        for i, face in match([labels[i] for i in members], found, topology).items():
            chosen[members[i]] = found[face]
    return score_matched(labels, chosen, topology)


def score_matched(
    labels: Sequence[LabelledFace], chosen: Sequence[Landmarks | None], topology: Topology
) -> Scores:
    """Scores one prediction for each label, None where there is none."""
    errors: dict[str, Float[np.ndarray, " f"]] = {}
    labelled: dict[str, Bool[np.ndarray, " f"]] = {}
    offsets = np.full((len(labels), 2), np.nan)
    for i, (label, face) in enumerate(zip(labels, chosen, strict=True)):
        scheme = None if label.scheme is None else label_scheme(label.scheme, topology)
        for name in labelled_measures(scheme, label.points) if scheme else ():
            errors.setdefault(name, np.full(len(labels), np.nan))
            labelled.setdefault(name, np.zeros(len(labels), dtype=bool))[i] = True
        if scheme and face is not None:
            for name, error in face_errors(scheme, face, label.points).items():
                errors[name][i] = error
            offsets[i] = face_offset(scheme, face, label.points)
    detected = np.array([face is not None for face in chosen], dtype=bool)
    return Scores(detected, errors, labelled, offsets)


def match(
    labels: Sequence[LabelledFace], faces: Sequence[Landmarks], topology: Topology
) -> dict[int, int]:
    """Which predicted face is which labelled one, within a picture.

    Pairs are taken by overlap of their boxes, largest first, over the points that both schemes
    have; a prediction serves one label. A label without points takes any face that is left.

    Returns:
        Index of the prediction for the index of each label that was found.
    """
    pairs = []
    for i, label in enumerate(labels):
        scheme = None if label.scheme is None else label_scheme(label.scheme, topology)
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
    """Boxes of the labelled and of the predicted face, over the same points where known."""
    if scheme.common is None:
        return box(label.points[:, :2]), box(face[:, :2])
    matrix, labelled = common_points(scheme.common, label.points)
    return box(labelled[:, :2]), box(matrix @ face[:, :2])
