"""What is measured on a face, depending on the scheme that it is labelled in.

Errors are divided by a length taken from the labels: the distance between the outer eye corners or,
for measures named `..._by_width`, between the corners of the same eye or of the lips, as in the
paper's Table 2. The paper does not say which points count: here `eyes` are all points of the two
eye regions (lids, rings around them, brows) without the irises, and `lips` all of the lip region.
"""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from jaxtyping import Bool, Float

from amesh.data.schemes import known_schemes, label_map
from amesh.errors import UserError
from amesh.evaluation.labels.measures import LabelScheme, Opening, Part
from amesh.evaluation.labels.outline_schemes import BUILDERS as OUTLINES
from amesh.topology.scheme import Topology

# Turned up to profile, where the distance between the eyes vanishes: only the box is a fair unit.
_BOXED = frozenset(["aflw2000_3d68"])


def label_scheme(name: str, topology: Topology) -> LabelScheme:
    """How landmarks of a topology are scored against labels of a scheme.

    Raises:
        UserError: The scheme is unknown, or the topology lacks what it is compared with.
    """
    if name not in (known := {*_BUILDERS, *known_schemes(topology)}):
        raise UserError(
            f"no label scheme {name!r}; there are: {', '.join(sorted(known))}; "
            "or null for a face without points"
        )
    try:
        return _build(name, topology)
    except KeyError as error:
        raise UserError(
            f"topology {topology.name} cannot be scored on {name}: no {error}"
        ) from None


@cache
def _build(name: str, topology: Topology) -> LabelScheme:
    if name == topology.name:
        return _own(topology)
    return _BUILDERS[name](topology) if name in _BUILDERS else _mapped(name, topology)


def _own(topology: Topology) -> LabelScheme:
    """Labels in the network's own scheme, such as those of synthetic faces: the paper's Table 2."""
    everything = tuple(range(topology.points))
    outer = topology.normalisers["outer_eye_corners"]
    identity = np.eye(topology.points)

    def part(indices: tuple[int, ...], normaliser: tuple[int, int] | None) -> Part:
        return Part(indices, identity[list(indices)], normaliser)

    eyes = [region for region in topology.regions if region.name in ("right_eye", "left_eye")]
    measures: dict[str, tuple[Part, ...]] = {"all": (part(everything, outer),)}
    columns = {"All": "all"}
    for lips in (region for region in topology.regions if region.name == "lips"):
        measures["lips"] = (part(lips.indices, outer),)
        measures["lips_by_width"] = (part(lips.indices, topology.normalisers["lips"]),)
        columns["Lips"] = "lips_by_width"
    if eyes:
        measures["eyes"] = tuple(part(eye.indices, outer) for eye in eyes)
        measures["eyes_by_width"] = tuple(
            part(eye.indices, topology.normalisers[eye.name]) for eye in eyes
        )
        columns["Eyes"] = "eyes_by_width"
    if topology.irises:
        measures["irises"] = tuple(part(iris.indices, outer) for iris in topology.irises)
    return LabelScheme(
        topology.name,
        topology.points,
        part(everything, None),
        measures,
        columns,
        table_2=len(columns) == 3,
        eye_corners=outer,
        eyes=_eye_openings(identity, topology),
        mouth=_mouth_opening(identity, topology),
    )


def _mapped(name: str, topology: Topology) -> LabelScheme:
    """Points that correspond one to one to landmarks, or to means of landmarks, by a map.

    Points with less weight in training than the others lie on the jaw, where annotators follow the
    visible contour. The `inner` measure leaves them out.
    """
    known = label_map(name, topology)
    matrix, used = known.matrix, known.weights > 0
    inner = used & (known.weights == known.weights.max())
    boxed = name in _BOXED
    eye_corners = _pair(matrix, topology.normalisers["outer_eye_corners"])
    outer = None if boxed else eye_corners

    def part(rows: Bool[np.ndarray, " k"], normaliser: tuple[int, int] | None) -> Part:
        return Part(tuple(np.flatnonzero(rows).tolist()), matrix[rows], normaliser)

    eyes = {
        side: inner & _within(matrix, topology.contours[side][0])
        for side in ("right_eye", "left_eye")
    }
    lips = inner & _within(matrix, _region(topology, "lips"))
    leading = f"inner_{inner.sum()}"
    measures: dict[str, tuple[Part, ...]] = {
        leading: (part(inner, outer),),
        "eyes": (part(eyes["right_eye"] | eyes["left_eye"], outer),),
        "lips": (part(lips, outer),),
    }
    columns = {"All": leading, "Lips": "lips", "Eyes": "eyes"}
    pupils = used & _within(matrix, [iris.indices[0] for iris in topology.irises])
    if pupils.any():
        measures["pupils"] = (part(pupils, outer),)
    if (used & ~inner).any():
        measures[f"all_{used.sum()}"] = (part(used, outer),)
    if not boxed:
        measures["eyes_by_width"] = tuple(
            part(rows, _pair(matrix, topology.normalisers[side])) for side, rows in eyes.items()
        )
        measures["lips_by_width"] = (part(lips, _pair(matrix, topology.normalisers["lips"])),)
        columns |= {"Lips": "lips_by_width", "Eyes": "eyes_by_width"}
    return LabelScheme(
        name,
        len(matrix),
        part(inner, None),
        measures,
        columns,
        table_2=not boxed,
        eye_corners=eye_corners,
        eyes=_eye_openings(matrix, topology),
        mouth=_mouth_opening(matrix, topology),
    )


def _eye_openings(matrix: Float[np.ndarray, "k n"], topology: Topology) -> tuple[Opening, ...]:
    found = []
    for side in ("right_eye", "left_eye"):
        if side in topology.contours:
            loop = topology.contours[side][0]
            found.append(_opening(matrix, loop, topology.normalisers[side]))
    return tuple(found)


def _mouth_opening(matrix: Float[np.ndarray, "k n"], topology: Topology) -> Opening | None:
    if "lips_inner" not in topology.contours:
        return None
    return _opening(matrix, topology.contours["lips_inner"][0], topology.normalisers["lips"])


def _opening(
    matrix: Float[np.ndarray, "k n"], loop: Sequence[int], corners: tuple[int, int]
) -> Opening:
    """The opening inside a contour: a corner, the lower edge, the other corner, the upper edge."""
    half = len(loop) // 2
    lower, upper = (
        tuple(np.flatnonzero(_within(matrix, edge)).tolist())
        for edge in (loop[1:half], loop[half + 1 : -1])
    )
    return Opening(upper, lower, _pair(matrix, corners))


def _within(matrix: Float[np.ndarray, "k n"], landmarks: Sequence[int]) -> Bool[np.ndarray, " k"]:
    """The points that are made of these landmarks only."""
    outside = np.ones(matrix.shape[1], dtype=bool)
    outside[list(landmarks)] = False
    return np.asarray(matrix.any(1) & ~matrix[:, outside].any(1))


def _pair(matrix: Float[np.ndarray, "k n"], landmarks: tuple[int, int]) -> tuple[int, int]:
    """The two points that are these landmarks.

    Raises:
        KeyError: The scheme does not label one of them.
    """
    rows = [np.flatnonzero(matrix[:, landmark] == 1.0) for landmark in landmarks]
    for landmark, found in zip(landmarks, rows, strict=True):
        if not len(found):
            raise KeyError(f"point for landmark {landmark}")
    return int(rows[0][0]), int(rows[1][0])


def _region(topology: Topology, name: str) -> tuple[int, ...]:
    return {region.name: region.indices for region in topology.regions}[name]


def _detection_only(name: str, points: int) -> Callable[[Topology], LabelScheme]:
    return lambda topology: LabelScheme(name, points, None, {})


# frl106 and frl83 are outlines that a commercial detector found, not human labels: such faces count
# for detection, but their points are ignored.
_BUILDERS: dict[str, Callable[[Topology], LabelScheme]] = {
    **OUTLINES,
    "frl106": _detection_only("frl106", 106),
    "frl83": _detection_only("frl83", 83),
}
