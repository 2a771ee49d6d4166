"""Finds points of a labelled face whose coordinates cannot be right.

The mean face, posed on the points that agree with each other, predicts about where each belongs.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float

from amesh.data.posing import fit_pose
from amesh.data.schemes import LabelMap
from amesh.data.sources.labelled_face import LabelledFace
from amesh.topology.scheme import Topology

# Tools write -1 or 0 for a missing point; these are the values in any coordinate convention.
_PLACEHOLDERS = (-1.5, -1.0, -0.5, 0.0, 0.5)
# A point is misplaced if it lies this far from its place on the posed mean face [face sizes]: twice
# the largest distance on 323 faces annotated by people, wide mouths and profiles among them.
_FAR = 0.35
# A position that several points share is a placeholder if they belong this far apart [face sizes].
_APART, _SEVERAL = 0.25, 3
# Points are at most this many times as far from the middle of a face as the median point.
_REACH = 4.0
# Correlation of the labelled depth with that of the mean face below which its sign is wrong.
_REVERSED = -0.5
# Fewer points fit any pose.
_ENOUGH = 8


def suspicious_points(face: LabelledFace, known: LabelMap, topology: Topology) -> list[str]:
    """Describes points with a weight that look missing or misplaced, and reversed depth.

    Args:
        face: A face with points.
        known: The map from its scheme to the topology.
        topology: The topology to be trained.
    """
    xy, z = face.weights()
    used = (xy > 0) & (known.weights > 0)
    points = face.points[:, :2].astype(np.float64)
    placeholder = used & (points[:, 0] == points[:, 1]) & np.isin(points[:, 0], _PLACEHOLDERS)
    found = [
        f"{_count(placeholder & (points[:, 0] == value))} at ({value:g}, {value:g})"
        for value in np.unique(points[placeholder, 0])
    ]
    rest = used & ~placeholder
    near = rest & _near(points, rest)
    if near.sum() < _ENOUGH or not topology.template.any():
        return [f"{line}; give a missing point weight 0" for line in found]
    pose = fit_pose(topology.template, known.matrix[near], points[near])
    posed = known.matrix @ pose.apply(topology.template)
    size = float(np.ptp(posed[:, :2], axis=0).max())
    for line, repeated in _repeated(points, rest, posed[:, :2], size):
        found.append(line)
        rest &= ~repeated
    far = rest & (np.linalg.norm(points - posed[:, :2], axis=1) > _FAR * size)
    if 0 < far.sum() < near.sum() / 2:  # otherwise, the labels as a whole are not a face
        first = int(np.flatnonzero(far)[0])
        found.append(f"{_count(far)} far from the others, such as point {first}")
    found = [f"{line}; give a missing point weight 0" for line in found]
    # In a face that looks away, left and right are exchanged, which is reported separately.
    if pose.facing > 0 and _is_reversed(face, near & ~far & (z > 0), posed):
        found.append("z has the wrong sign: smaller is nearer to the camera")
    return found


def _near(points: Float[np.ndarray, "k 2"], used: Bool[np.ndarray, " k"]) -> Bool[np.ndarray, " k"]:
    """Returns the points that are not much farther from the middle than most."""
    if not used.any():
        return used
    distance = np.linalg.norm(points - np.median(points[used], axis=0), axis=1)
    return np.asarray(distance <= _REACH * np.median(distance[used]))


def _repeated(
    points: Float[np.ndarray, "k 2"],
    used: Bool[np.ndarray, " k"],
    posed: Float[np.ndarray, "k 2"],
    size: float,
) -> Iterator[tuple[str, Bool[np.ndarray, " k"]]]:
    """Yields positions that several points share although they belong apart."""
    places, counts = np.unique(points[used], axis=0, return_counts=True)
    for x, y in places[counts >= _SEVERAL].tolist():
        here = used & (points == (x, y)).all(1)
        if np.ptp(posed[here], axis=0).max() > _APART * size:
            yield f"{_count(here)} at one place, ({x:g}, {y:g})", here


def _is_reversed(
    face: LabelledFace, deep: Bool[np.ndarray, " k"], posed: Float[np.ndarray, "k 3"]
) -> bool:
    if deep.sum() < _ENOUGH:
        return False
    labelled, expected = face.points[deep, 2].astype(np.float64), posed[deep, 2]
    if np.ptp(labelled) == 0 or np.ptp(expected) == 0:
        return False
    return bool(np.corrcoef(labelled, expected)[0, 1] < _REVERSED)


def _count(points: Bool[np.ndarray, " k"]) -> str:
    number = int(points.sum())
    return "1 point" if number == 1 else f"{number} points"
