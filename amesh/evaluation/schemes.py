"""What is measured where a face is labelled in one scheme or another.

Errors are divided by a length taken from the labels: the distance between the outer eye corners,
or, for measures named `..._by_width`, that between the corners of the same eye or of the lips, as
in the paper's Table 2.
"""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from jaxtyping import Float

from amesh.errors import UserError
from amesh.evaluation.measures import LabelScheme, Part
from amesh.topology.scheme import Topology

# The outline of an iris is drawn by this many corners: 0.03 % of its radius inside the ellipse.
_IRIS_CORNERS = 128


def label_scheme(name: str, topology: Topology) -> LabelScheme:
    """How labels of a scheme score landmarks of a topology.

    Raises:
        UserError: The scheme is not known, or the topology lacks what it is compared with.
    """
    if name not in _BUILDERS and name != topology.name:
        known = ", ".join(sorted({*_BUILDERS, topology.name}))
        raise UserError(
            f"no label scheme {name!r}; there are: {known}; or null for a face without points"
        )
    try:
        return _build(name, topology)
    except KeyError as error:
        raise UserError(
            f"topology {topology.name} cannot be scored on {name}: no {error}"
        ) from None


@cache
def _build(name: str, topology: Topology) -> LabelScheme:
    return _own(topology) if name == topology.name else _BUILDERS[name](topology)


def _pick(topology: Topology, indices: Sequence[int]) -> Float[np.ndarray, "k n"]:
    """The matrix that picks landmarks."""
    return np.eye(topology.points)[list(indices)]


def _arcs(topology: Topology, contour: str) -> tuple[Float[np.ndarray, "k n"], ...]:
    """The lower and the upper half of a closed contour that starts at one corner.

    Apart, because on a nearly closed eye or mouth a point of one half is near the other.
    """
    loop = list(topology.contours[contour][0])
    half = len(loop) // 2
    return _pick(topology, loop[: half + 1]), _pick(topology, loop[half:])


def _ellipse(topology: Topology, iris: str) -> Float[np.ndarray, "k n"]:
    """The outline of an iris, an ellipse through its right, top, left and bottom point."""
    right, top, left, bottom = _pick(topology, topology.contours[iris][0][:4])
    centre = (right + top + left + bottom) / 4
    angle = np.linspace(0, 2 * np.pi, _IRIS_CORNERS + 1)[:, None]
    along, across = np.cos(angle) * (right - left), np.sin(angle) * (bottom - top)
    return np.asarray(centre + along / 2 + across / 2)


def _iris_centres(topology: Topology) -> Float[np.ndarray, "2 n"]:
    by_name = {iris.name: iris.indices[0] for iris in topology.irises}
    return _pick(topology, [by_name["right_iris"], by_name["left_iris"]])


def _corners(topology: Topology, *names: str) -> list[int]:
    return [landmark for name in names for landmark in topology.normalisers[name]]


def _ibug68(topology: Topology, name: str = "ibug68", boxed: bool = False) -> LabelScheme:
    """68 points of 300-W, one to one by the topology's map; jaw points follow other rules."""
    matrix = topology.map_matrix("ibug68")

    def part(first: int, last: int, normaliser: tuple[int, int] | None) -> Part:
        return Part(tuple(range(first, last)), matrix[first:last], normaliser)

    eyes = None if boxed else (36, 45)
    measures: dict[str, tuple[Part, ...]] = {
        "inner_51": (part(17, 68, eyes),),
        "eyes": (part(36, 48, eyes),),
        "lips": (part(48, 68, eyes),),
        "all_68": (part(0, 68, eyes),),
    }
    if not boxed:
        measures["eyes_by_width"] = (part(36, 42, (36, 39)), part(42, 48, (42, 45)))
        measures["lips_by_width"] = (part(48, 68, (48, 54)),)
    return LabelScheme(name, 68, part(17, 68, None), measures)


def _aflw2000(topology: Topology) -> LabelScheme:
    """The same points, through the head: in profile only the box is a fair normaliser."""
    return _ibug68(topology, "aflw2000_3d68", boxed=True)


def _imm73(topology: Topology) -> LabelScheme:
    return _outlined(
        topology,
        "imm73",
        73,
        eye_corners=(16, 20, 28, 24),
        lids=((21, 22, 23), (17, 18, 19), (25, 26, 27), (29, 30, 31)),
        lip_corners=(46, 52),
        lips=((53, 54, 55), (47, 48, 49, 50, 51), (59, 60, 61), (56, 57, 58)),
        pupils=(32, 33),
    )


def _frl189(topology: Topology) -> LabelScheme:
    """Of the irises the sides and the bottom: their tops lie under the lid and were guessed."""
    return _outlined(
        topology,
        "frl189",
        189,
        eye_corners=(18, 22, 23, 27),
        lids=((28, 29, 30), (19, 20, 21), (31, 32, 33), (24, 25, 26)),
        lip_corners=(87, 93),
        lips=(
            (104, 105, 106, 107, 108),
            (88, 89, 90, 91, 92),
            (99, 100, 101, 102, 103),
            (94, 95, 96, 97, 98),
        ),
        pupils=(0, 1),
        irises=((4, 5, 6, 7, 8), (12, 13, 14, 15, 16)),
    )


def _outlined(
    topology: Topology,
    name: str,
    points: int,
    eye_corners: tuple[int, int, int, int],
    lids: Sequence[tuple[int, ...]],
    lip_corners: tuple[int, int],
    lips: Sequence[tuple[int, ...]],
    pupils: tuple[int, int],
    irises: Sequence[tuple[int, ...]] = (),
) -> LabelScheme:
    """A scheme of outlines.

    Args:
        topology: Of our landmarks.
        name: Of the label scheme.
        points: Of the label scheme.
        eye_corners: Outer and inner of the eye at the image's left, inner and outer of the other.
        lids: Lower and upper lid of the eye at the image's left, then of the other.
        lip_corners: At the image's left, then right.
        lips: Lower and upper edge of the lips as a whole, then of the mouth's opening.
        pupils: At the image's left, then right.
        irises: Outlines, in the same order.
    """
    outer = (eye_corners[0], eye_corners[3])

    def curves(labelled: Sequence[tuple[int, ...]], ours: Sequence[np.ndarray]) -> tuple[Part, ...]:
        pairs = zip(labelled, ours, strict=True)
        return tuple(Part(points, matrix, outer, curve=True) for points, matrix in pairs)

    eyes = _pick(topology, _corners(topology, "right_eye", "left_eye"))
    mouth = _pick(topology, _corners(topology, "lips"))
    centres = _iris_centres(topology)
    measures: dict[str, tuple[Part, ...]] = {"pupils": (Part(pupils, centres, outer),)}
    if irises:
        outlines = [_ellipse(topology, "right_iris"), _ellipse(topology, "left_iris")]
        measures["irises"] = curves(irises, outlines)
    measures["eye_corners"] = (Part(eye_corners, eyes, outer),)
    measures["lids"] = curves(lids, _arcs(topology, "right_eye") + _arcs(topology, "left_eye"))
    measures["lip_corners"] = (Part(lip_corners, mouth, outer),)
    measures["lip_outlines"] = curves(
        lips, _arcs(topology, "lips_outer") + _arcs(topology, "lips_inner")
    )
    # The middles of the outer lip edges say how far down the face reaches.
    edges = _pick(
        topology, [topology.contours["lips_outer"][0][5], topology.contours["lips_outer"][0][15]]
    )
    middles = (lips[0][len(lips[0]) // 2], lips[1][len(lips[1]) // 2])
    common = Part(
        (*eye_corners, *pupils, *lip_corners, *middles),
        np.concatenate([eyes, centres, mouth, edges]),
        None,
    )
    return LabelScheme(name, points, common, measures)


def _detection_only(name: str, points: int) -> Callable[[Topology], LabelScheme]:
    return lambda topology: LabelScheme(name, points, None, {})


def _own(topology: Topology) -> LabelScheme:
    """Labels in the scheme of the network itself, such as exact synthetic faces: Table 2."""
    everything = tuple(range(topology.points))
    outer = topology.normalisers["outer_eye_corners"]

    def part(indices: tuple[int, ...], normaliser: tuple[int, int] | None) -> Part:
        return Part(indices, _pick(topology, indices), normaliser)

    eyes = [region for region in topology.regions if region.name in ("right_eye", "left_eye")]
    measures: dict[str, tuple[Part, ...]] = {"all": (part(everything, outer),)}
    if eyes:
        measures["eyes"] = tuple(part(eye.indices, outer) for eye in eyes)
        measures["eyes_by_width"] = tuple(
            part(eye.indices, topology.normalisers[eye.name]) for eye in eyes
        )
    for lips in (region for region in topology.regions if region.name == "lips"):
        measures["lips"] = (part(lips.indices, outer),)
        measures["lips_by_width"] = (part(lips.indices, topology.normalisers["lips"]),)
    if topology.irises:
        measures["irises"] = tuple(part(iris.indices, outer) for iris in topology.irises)
    return LabelScheme(topology.name, topology.points, part(everything, None), measures)


# frl106 and frl83 are the outlines that a commercial detector found, not people's labels: faces in
# such pictures count for detection, their points for nothing.
_BUILDERS: dict[str, Callable[[Topology], LabelScheme]] = {
    "ibug68": _ibug68,
    "aflw2000_3d68": _aflw2000,
    "imm73": _imm73,
    "frl189": _frl189,
    "frl106": _detection_only("frl106", 106),
    "frl83": _detection_only("frl83", 83),
}
