"""A measure of a face: which labelled points are compared with what of ours, and in what unit.

Points that mean the same place in both schemes are compared one to one. Labelled points that lie
on the same outline as ours, but elsewhere along it, are scored by their distance to our outline.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from amesh.metrics.points import distances, point_to_polyline


@dataclass(frozen=True, eq=False)
class Part:
    """Some labelled points and what they are compared with.

    Attributes:
        labelled: Which points of the label scheme.
        matrix: Takes our landmarks to the points they are compared with, one to one; for a curve,
            to the corners of the curve.
        normaliser: Two points of the label scheme; None for the square root of the area of the
            labelled points' box.
        curve: Whether labelled points may lie anywhere on the curve.
    """

    labelled: tuple[int, ...]
    matrix: Float[np.ndarray, "k n"]
    normaliser: tuple[int, int] | None
    curve: bool = False


@dataclass(frozen=True, eq=False)
class LabelScheme:
    """A label scheme as it is scored.

    Attributes:
        name: Its name in manifests.
        points: How many points a label has.
        common: Points that mean the same place in both schemes: they tell which predicted face is
            the labelled one, and where the face lies. None where no such points are known.
        measures: What is measured, by name, the most telling first.
    """

    name: str
    points: int
    common: Part | None
    measures: Mapping[str, tuple[Part, ...]]


def face_errors(
    scheme: LabelScheme, landmarks: Float[np.ndarray, "n 3"], points: Float[np.ndarray, "p d"]
) -> dict[str, float]:
    """The error of one face by every measure of its scheme [%]."""
    return {
        name: 100 * float(np.concatenate([_part(part, landmarks, points) for part in parts]).mean())
        for name, parts in scheme.measures.items()
    }


def face_offset(
    scheme: LabelScheme, landmarks: Float[np.ndarray, "n 3"], points: Float[np.ndarray, "p d"]
) -> Float[np.ndarray, " 2"]:
    """How far right and down a prediction lies of its label as a whole [%].

    Over the points that both schemes have, in the unit of the scheme's first measure. Over many
    faces it tells a displaced crop, or displaced labels, from scatter.
    """
    if scheme.common is None or not scheme.measures:
        return np.full(2, np.nan)
    theirs = points[list(scheme.common.labelled), :2]
    offset = (scheme.common.matrix @ landmarks[:, :2] - theirs).mean(0)
    unit = next(iter(scheme.measures.values()))[0].normaliser
    return np.asarray(100 * offset / normaliser_length(unit, points))


def _part(
    part: Part, landmarks: Float[np.ndarray, "n 3"], points: Float[np.ndarray, "p d"]
) -> Float[np.ndarray, " k"]:
    ours = part.matrix @ landmarks[:, :2]
    theirs = points[list(part.labelled), :2]
    found = point_to_polyline(theirs, ours) if part.curve else distances(ours, theirs)
    return found / normaliser_length(part.normaliser, points)


def normaliser_length(pair: tuple[int, int] | None, points: Float[np.ndarray, "p d"]) -> float:
    """The length that errors are divided by [px]; 3-D where the labels are."""
    if pair is None:
        return float(np.sqrt(np.prod(np.ptp(points[:, :2], axis=0))))
    return float(np.linalg.norm(points[pair[0]] - points[pair[1]]))
