"""The flat map of the face's surface that stores its colour.

Convention:
    - u to the image's right, v down, both in [0, 1]; the outline of the face is a rounded square
    - texel (row, column) of a map of side t has its centre at u = (column + 0.5) / t
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from amesh.topology import Topology
from amesh.topology.lids import Lids, eye_lids, lips_inside

# Exponent of the outline: 2 would be a circle. Any convex outline gives a map without folds.
_SQUARENESS = 4.0
_MARGIN = 0.02


class Openings(NamedTuple):
    """Triangles that close the holes of the face's surface.

    Attributes:
        eyes: Triangles of each eye, in the topology's order of irises.
        mouth: Triangles between the lips.
    """

    eyes: tuple[Int[np.ndarray, "t 3"], ...]
    mouth: Int[np.ndarray, "t 3"]


def fill(lids: Lids) -> Int[np.ndarray, "t 3"]:
    """Returns triangles between the two borders of an opening, facing the camera."""
    upper = [lids.corners[0], *lids.upper, lids.corners[1]]
    lower = [lids.corners[0], *lids.lower, lids.corners[1]]
    triangles = []
    for i in range(len(upper) - 1):
        triangles += [(upper[i], lower[i], upper[i + 1]), (upper[i + 1], lower[i], lower[i + 1])]
    return np.array([t for t in triangles if len(set(t)) == 3], np.int64)


def openings(topology: Topology) -> Openings:
    """Returns the triangles of all openings."""
    return Openings(tuple(map(fill, eye_lids(topology))), fill(lips_inside(topology)))


def flatten(topology: Topology) -> Float[np.ndarray, "n 2"]:
    """Returns the position of each landmark of the mesh in the map; irises are at 0.

    The outline is on a rounded square, and every other point is a mean of its neighbours with
    positive weights, so that no triangle is folded over (Tutte, Floater).
    """
    holes = openings(topology)
    triangles = np.concatenate([topology.triangles, *holes.eyes, holes.mouth])
    outline = list(topology.contours["face_oval"][0][:-1])
    template, count = topology.template, topology.points
    used = np.unique(triangles)
    weights = np.zeros((count, count))
    for corner in range(3):  # mean-value weights: tan of half the angles beside an edge
        a, b, c = (triangles[:, (corner + k) % 3] for k in range(3))
        to_b, to_c = template[b] - template[a], template[c] - template[a]
        length_b, length_c = (np.linalg.norm(e, axis=1).clip(1e-9) for e in (to_b, to_c))
        cosine = ((to_b * to_c).sum(1) / (length_b * length_c)).clip(-0.999, 0.999)
        half = np.sqrt((1 - cosine) / (1 + cosine))
        np.add.at(weights, (a, b), half / length_b.clip(1e-3))
        np.add.at(weights, (a, c), half / length_c.clip(1e-3))
    weights[outline] = 0.0
    system = np.eye(count)
    inner = np.setdiff1d(used, outline)
    system[inner] -= weights[inner] / weights[inner].sum(1, keepdims=True)
    placed = np.zeros((count, 2))
    placed[outline] = _outline(template[outline])
    keep = np.ix_(used, used)
    flat = np.zeros((count, 2))
    flat[used] = np.linalg.solve(system[keep], placed[used])
    return np.asarray(flat * (0.5 - _MARGIN) + 0.5 * np.isin(np.arange(count), used)[:, None])


def _outline(points: Float[np.ndarray, "k 3"]) -> Float[np.ndarray, "k 2"]:
    """Returns points on the rounded square, spaced by their angles from the head's axis."""
    axis = float(points[:, 2].max()) + 0.2
    middle = float((points[:, 1].min() + points[:, 1].max()) / 2)
    around = np.arctan2(points[:, 0], axis - points[:, 2])
    height = (points[:, 1] - middle) / (np.ptp(points[:, 1]) / 2)
    angle = np.arctan2(height, around / np.abs(around).max())
    direction = np.stack([np.cos(angle), np.sin(angle)], 1)
    norm = (np.abs(direction) ** _SQUARENESS).sum(1) ** (1 / _SQUARENESS)
    return np.asarray(direction / norm[:, None])


class Texels(NamedTuple):
    """The triangle at each texel of a map.

    Attributes:
        triangle: Index of the triangle; -1 outside the face.
        weights: Barycentric weights of its corners.
    """

    triangle: Int[np.ndarray, "t t"]
    weights: Float[np.ndarray, "t t 3"]


def texels(flat: Float[np.ndarray, "n 2"], triangles: Int[np.ndarray, "m 3"], side: int) -> Texels:
    """Finds the triangle at each texel's centre."""
    owner = np.full((side, side), -1)
    shares = np.zeros((side, side, 3))
    corners = flat[triangles] * side - 0.5
    for number, corner in enumerate(corners):
        low = np.ceil(corner.min(0)).astype(int).clip(0)
        high = np.floor(corner.max(0)).astype(int).clip(max=side - 1)
        y, x = np.mgrid[low[1] : high[1] + 1, low[0] : high[0] + 1]
        edges = np.stack([corner[1] - corner[0], corner[2] - corner[0]], 1)
        if not y.size or abs(np.linalg.det(edges)) < 1e-12:
            continue
        offset = np.stack([x, y], -1) - corner[0]
        second = offset @ np.linalg.inv(edges).T
        inside = (second >= -1e-6).all(-1) & (second.sum(-1) <= 1 + 1e-6)
        owner[y[inside], x[inside]] = number
        shares[y[inside], x[inside]] = np.concatenate(
            [1 - second.sum(-1, keepdims=True), second], -1
        )[inside]
    return Texels(owner, shares)
