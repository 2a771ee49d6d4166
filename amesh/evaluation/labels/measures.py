"""Measures of a face's error: which labelled points are compared with what, and in what unit.

Points that mark the same place in both schemes are compared one to one. Labelled points that lie on
the same outline as the predicted ones, but elsewhere along it, are scored by their distance to the
predicted outline. A labelled point that is NaN has no label.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float

from amesh.metrics.points import distances, point_to_polyline


@dataclass(frozen=True, eq=False)
class Part:
    """Some labelled points and what they are compared with.

    Attributes:
        labelled: Indices of the points in the label scheme.
        matrix: Maps predicted landmarks to the points to compare with, one to one; for a curve, to
            its vertices.
        normaliser: Two points of the label scheme whose distance divides the error; None for the
            square root of the area of the labelled points' box.
        curve: Whether labelled points may lie anywhere on the curve.
    """

    labelled: tuple[int, ...]
    matrix: Float[np.ndarray, "k n"]
    normaliser: tuple[int, int] | None
    curve: bool = False


@dataclass(frozen=True)
class Opening:
    """Labelled points around an eye's or the mouth's opening.

    Attributes:
        upper: Points of the upper edge, in any order, without the corners.
        lower: Points of the lower edge, likewise.
        corners: The two points whose distance is the width.
    """

    upper: tuple[int, ...]
    lower: tuple[int, ...]
    corners: tuple[int, int]


@dataclass(frozen=True, eq=False)
class LabelScheme:
    """How faces labelled in a scheme are scored.

    Attributes:
        name: Its name in manifests.
        points: Number of points of a label.
        common: Points that mark the same place in both schemes. They show which predicted face is
            the labelled one, and where the face lies. None if no such points are known.
        measures: What is measured, by name, the most informative first.
        columns: The measures that stand for the paper's `All`, `Lips` and `Eyes`, if there are any.
        table_2: Whether these are normalised as in the paper's Table 2.
        eye_corners: The outer corners of both eyes, if the scheme has them.
        eyes: Openings of the right and of the left eye, if the scheme has them.
        mouth: The opening between the lips, if the scheme has it.
    """

    name: str
    points: int
    common: Part | None
    measures: Mapping[str, tuple[Part, ...]]
    columns: Mapping[str, str] = field(default_factory=dict)
    table_2: bool = False
    eye_corners: tuple[int, int] | None = None
    eyes: tuple[Opening, ...] = ()
    mouth: Opening | None = None


def face_errors(
    scheme: LabelScheme, landmarks: Float[np.ndarray, "n 3"], points: Float[np.ndarray, "p d"]
) -> dict[str, float]:
    """The error of one face by each measure that its labels allow [%]."""
    found = {}
    for name, parts in scheme.measures.items():
        used = [part for part in parts if _is_labelled(part, points)]
        if used:
            errors = np.concatenate([_part(part, landmarks, points) for part in used])
            found[name] = 100 * float(errors.mean())
    return found


def labelled_measures(scheme: LabelScheme, points: Float[np.ndarray, "p d"]) -> list[str]:
    """The measures that the labels of a face allow."""
    return [
        name
        for name, parts in scheme.measures.items()
        if any(_is_labelled(part, points) for part in parts)
    ]


def face_offset(
    scheme: LabelScheme, landmarks: Float[np.ndarray, "n 3"], points: Float[np.ndarray, "p d"]
) -> Float[np.ndarray, " 2"]:
    """How far a prediction as a whole lies to the right of its label and below it [%].

    The mean over the points that both schemes have, in the unit of the scheme's first measure. Over
    many faces it tells a constant shift, of crops or of labels, from random errors.
    """
    apart = point_offsets(scheme, landmarks, points)
    known = np.isfinite(apart).all(1)
    return np.asarray(apart[known].mean(0)) if known.any() else np.full(2, np.nan)


def point_offsets(
    scheme: LabelScheme, landmarks: Float[np.ndarray, "n 3"], points: Float[np.ndarray, "p d"]
) -> Float[np.ndarray, "k 2"]:
    """How far each common point lies right of its label and below it [%]; NaN without a label."""
    if scheme.common is None or not scheme.measures:
        return np.zeros((0, 2))
    theirs = points[list(scheme.common.labelled), :2]
    unit = normaliser_length(next(iter(scheme.measures.values()))[0].normaliser, points)
    ours = scheme.common.matrix @ landmarks[:, :2]
    return np.asarray(100 * (ours - theirs) / (unit if unit > 0 else np.nan))


def common_points(
    part: Part, points: Float[np.ndarray, "p d"]
) -> tuple[Float[np.ndarray, "m n"], Float[np.ndarray, "m d"]]:
    """The rows of a one-to-one part's matrix whose points are labelled, and these labels."""
    theirs = points[list(part.labelled)]
    known = _known(theirs)
    return part.matrix[known], theirs[known]


def normaliser_length(pair: tuple[int, int] | None, points: Float[np.ndarray, "p d"]) -> float:
    """The length that errors are divided by [px], in 3-D where the labels have a depth."""
    if pair is None:
        known = points[_known(points), :2]
        return float(np.sqrt(np.prod(np.ptp(known, axis=0)))) if len(known) else float("nan")
    line = points[pair[0]] - points[pair[1]]
    return float(np.linalg.norm(line if np.isfinite(line).all() else line[:2]))


def opening(points: Float[np.ndarray, "p d"], around: Opening) -> float:
    """How far an eye or a mouth is open: mean height over width, for any number of points.

    The area between the edges over the squared width, which is 0 where they meet, however bent. In
    3-D where the labels have a depth, so that eyes do not seem wider when the head turns.
    """
    first, last = points[list(around.corners)]
    line = last - first
    squared = float(line @ line)
    if not squared > 0:
        return float("nan")

    def along(edge: tuple[int, ...]) -> Float[np.ndarray, "e d"]:
        found = points[list(edge)]
        return np.asarray(found[np.argsort((found - first) @ line)])

    loop = np.concatenate([first[None], along(around.upper), last[None], along(around.lower)[::-1]])
    flat = np.zeros((len(loop), 3))
    flat[:, : loop.shape[1]] = loop - first
    area = np.cross(flat, np.roll(flat, -1, axis=0)).sum(0) / 2
    return float(np.linalg.norm(area)) / squared


def openings(scheme: LabelScheme, points: Float[np.ndarray, "p d"]) -> Float[np.ndarray, " 3"]:
    """How far a labelled face's right eye, left eye and mouth are open, as seen in the picture.

    NaN where the scheme has no such opening, or a point of it has no label.
    """
    around = (*scheme.eyes, scheme.mouth) if len(scheme.eyes) == 2 else (None, None, scheme.mouth)
    return np.array([np.nan if one is None else opening(points[:, :2], one) for one in around])


def predicted_openings(
    scheme: LabelScheme, landmarks: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, " 3"]:
    """The same of a prediction, between the points that the labels would have there."""
    points = np.full((scheme.points, 2), np.nan)
    if scheme.common is not None:
        points[list(scheme.common.labelled)] = scheme.common.matrix @ landmarks[:, :2]
    return openings(scheme, points)


def _is_labelled(part: Part, points: Float[np.ndarray, "p d"]) -> bool:
    unit = normaliser_length(part.normaliser, points)
    return unit > 0 and bool(_known(points[list(part.labelled)]).any())


def _known(points: Float[np.ndarray, "p d"]) -> Bool[np.ndarray, " p"]:
    """Which points are labelled, at least in x and y."""
    return np.asarray(np.isfinite(points[:, :2]).all(1))


def _part(
    part: Part, landmarks: Float[np.ndarray, "n 3"], points: Float[np.ndarray, "p d"]
) -> Float[np.ndarray, " k"]:
    ours = part.matrix @ landmarks[:, :2]
    theirs = points[list(part.labelled), :2]
    known = _known(theirs)
    if part.curve:
        found = point_to_polyline(theirs[known], ours)
    else:
        found = distances(ours[known], theirs[known])
    return found / normaliser_length(part.normaliser, points)
