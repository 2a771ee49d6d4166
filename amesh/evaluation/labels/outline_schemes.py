"""Label schemes whose points lie anywhere along the outlines of eyes, irises and lips."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from amesh.evaluation.labels.measures import LabelScheme, Opening, Part
from amesh.topology.scheme import Topology

# Vertices of an iris outline: the polygon stays within 0.03 % of the radius of the ellipse.
_IRIS_CORNERS = 128


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
    """Irises count by their sides and bottom: their tops lie under the lid and were guessed."""
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
        topology: Scheme of the predicted landmarks.
        name: Name of the label scheme.
        points: Number of its points.
        eye_corners: Outer and inner corner of the eye on the image's left, then inner and outer
            corner of the other.
        lids: Lower and upper lid of the eye on the image's left, then of the other.
        lip_corners: On the image's left, then right.
        lips: Lower and upper edge of the lips as a whole, then of the mouth's opening.
        pupils: On the image's left, then right.
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
    # The middles of the outer lip edges show how far down the face reaches.
    edges = _pick(
        topology, [topology.contours["lips_outer"][0][5], topology.contours["lips_outer"][0][15]]
    )
    middles = (lips[0][len(lips[0]) // 2], lips[1][len(lips[1]) // 2])
    common = Part(
        (*eye_corners, *pupils, *lip_corners, *middles),
        np.concatenate([eyes, centres, mouth, edges]),
        None,
    )
    return LabelScheme(
        name,
        points,
        common,
        measures,
        columns={"Lips": "lip_outlines", "Eyes": "lids"},
        eyes=(
            Opening(lids[1], lids[0], eye_corners[:2]),
            Opening(lids[3], lids[2], eye_corners[2:]),
        ),
        mouth=Opening(lips[3], lips[2], lip_corners),
    )


def _pick(topology: Topology, indices: Sequence[int]) -> Float[np.ndarray, "k n"]:
    """The matrix that selects landmarks."""
    return np.eye(topology.points)[list(indices)]


def _arcs(topology: Topology, contour: str) -> tuple[Float[np.ndarray, "k n"], ...]:
    """The lower and the upper half of a closed contour that starts at one corner.

    They are separate because on a nearly closed eye or mouth a point of one half is close to the
    other half.
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


BUILDERS: dict[str, Callable[[Topology], LabelScheme]] = {"imm73": _imm73, "frl189": _frl189}
