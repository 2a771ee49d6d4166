"""How far apart two sets of predictions are; labels play no part in it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from jaxtyping import Float

from amesh.errors import UserError
from amesh.evaluation.evaluated import Evaluated
from amesh.evaluation.labels.predictions import Predictions
from amesh.evaluation.markdown import number, table
from amesh.evaluation.scores import box, overlap
from amesh.evaluation.table import Table
from amesh.metrics.points import distances, nme
from amesh.topology.scheme import Topology

Landmarks = Float[np.ndarray, "n 3"]

# Two predictions whose boxes overlap by less are different faces.
_SAME_FACE = 0.3
_WORST = 10


@dataclass(frozen=True)
class Agreement:
    """Two sets of predictions. Distances are 2-D, in % of the first one's outer eye distance.

    Attributes:
        first: Name of one set.
        second: Name of the other.
        pictures: Pictures in both sets.
        faces: Faces found by both.
        only_first: Faces that only the first found.
        only_second: Faces that only the second found.
        mean: Mean distance over faces and landmarks.
        median: Median of the faces' mean distances.
        p95: 95th percentile of the faces' mean distances.
        landmarks_p95: 95th percentile over the landmarks of all faces.
        shift: Mean displacement of the second against the first, right and down: a constant offset.
        worst: The pictures with the largest mean distances, and these distances.
    """

    first: str
    second: str
    pictures: int
    faces: int
    only_first: int
    only_second: int
    mean: float
    median: float
    p95: float
    landmarks_p95: float
    shift: tuple[float, float]
    worst: tuple[tuple[str, float], ...]

    @property
    def missed(self) -> float:
        """Faces found by one and missed by the other [% of all faces found]."""
        missed = self.only_first + self.only_second
        return 100 * missed / max(self.faces + missed, 1)


def compare(first: Predictions, second: Predictions, topology: Topology) -> Agreement:
    """Compares two sets of predictions on the pictures they share.

    Raises:
        UserError: They share no picture.
    """
    pairs = [(source, second.find(source)) for source in first.faces]
    shared = [(source, other) for source, other in pairs if other is not None]
    if not shared:
        raise UserError(f"{first.name} and {second.name} have no picture in common")
    outer = list(topology.normalisers["outer_eye_corners"])
    sources, matched, counts = [], [], np.zeros(2, dtype=int)
    for source, other in shared:
        ours, theirs = first.faces[source], second.faces[other]
        together = match_faces(ours, theirs)
        counts += len(ours) - len(together), len(theirs) - len(together)
        for i, j in together:
            sources.append(source)
            matched.append((ours[i][:, :2], theirs[j][:, :2]))
    if not matched:
        none = math.nan
        return Agreement(
            *(first.name, second.name, len(shared), 0, int(counts[0]), int(counts[1])),
            *(none, none, none, none, (none, none), ()),
        )
    a, b = (np.stack(side).astype(np.float64) for side in zip(*matched, strict=True))  # f n 2
    length = np.linalg.norm(a[:, outer[0]] - a[:, outer[1]], axis=-1)
    by_face = nme(b, a, length)
    order = np.argsort(-by_face)[:_WORST]
    shift = 100 * ((b - a).mean(1) / length[:, None]).mean(0)
    return Agreement(
        first=first.name,
        second=second.name,
        pictures=len(shared),
        faces=len(matched),
        only_first=int(counts[0]),
        only_second=int(counts[1]),
        mean=float(by_face.mean()),
        median=float(np.median(by_face)),
        p95=float(np.quantile(by_face, 0.95)),
        landmarks_p95=float(np.quantile(100 * distances(b, a) / length[:, None], 0.95)),
        shift=(float(shift[0]), float(shift[1])),
        worst=tuple((Path(sources[i]).name, float(by_face[i])) for i in order),
    )


def match_faces(first: Sequence[Landmarks], second: Sequence[Landmarks]) -> list[tuple[int, int]]:
    """Pairs the faces of one picture that are the same in both sets, largest overlap first."""
    boxes = [[box(face[:, :2]) for face in faces] for faces in (first, second)]
    overlaps = [
        (overlap(a, b), i, j) for i, a in enumerate(boxes[0]) for j, b in enumerate(boxes[1])
    ]
    found: list[tuple[int, int]] = []
    for shared, i, j in sorted(overlaps, key=lambda entry: -entry[0]):
        free = all(i != a and j != b for a, b in found)
        if shared >= _SAME_FACE and free:
            found.append((i, j))
    return sorted(found)


def agreement_section(found: Sequence[Agreement]) -> str:
    """A row for each pair of sets."""
    heads = ["pair", "pictures", "faces", "mean", "median", "p95", "landmarks' p95"]
    heads += ["shift right, down", "only first", "only second", "missed by one"]
    body = [
        [f"{a.first} - {a.second}", str(a.pictures), str(a.faces)]
        + [number(value, ".3f") for value in (a.mean, a.median, a.p95, a.landmarks_p95)]
        + [", ".join(number(side, "+.3f") for side in a.shift)]
        + [str(a.only_first), str(a.only_second), f"{a.missed:.2f} %"]
        for a in found
    ]
    return table(heads, body)


def _compute(evaluated: Evaluated) -> list[Agreement] | None:
    pairs = combinations(evaluated.predictions, 2)
    return [compare(first, second, evaluated.topology) for first, second in pairs] or None


AGREEMENT = Table(
    key="agreement",
    title="Distance between predictions [% of the outer eye distance]",
    compute=_compute,
    section=agreement_section,
)
