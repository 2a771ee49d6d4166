"""Where makeup goes: smooth outlines through the landmarks of `face478`, as areas to paint.

Convention
    Points are picture coordinates [px]. Lengths are shares of the face's unit, the distance of the
    outer eye corners in space, which turning the head does not shorten. Rows of landmarks are those
    of the subject's right side, from the outer to the inner end; the topology mirrors them.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property

import numpy as np
from jaxtyping import Float64

from amesh.topology import load
from amesh.topology.lids import Lids, borders, eye_lids, lips_inside

# Rows that the scheme's contours do not name: above the upper lid, the fold, and halfway from there
# to the brow; the lower lid's edge of the eye socket; the soft part of the cheek.
_FOLD = (130, 247, 30, 29, 27, 28, 56, 190, 243)
_UNDER_BROW = (130, 113, 225, 224, 223, 222, 221, 189, 243)
_CHEEK = (116, 117, 118, 101, 205, 187, 123)


@dataclass(frozen=True, eq=False)
class Layer:
    """A polygon to fill.

    Attributes:
        outline: Its corners [px].
        level: The cover within; later layers replace earlier ones.
    """

    outline: Float64[np.ndarray, "m 2"]
    level: float = 1.0


@dataclass(frozen=True, eq=False)
class Area:
    """Where one product goes on one part of the face.

    Attributes:
        layers: Polygons, drawn in this order.
        feather: Standard deviation of the soft edge [px].
        inside: The area stays within this polygon.
        outside: The area stays out of this polygon.
        edge: Soft edge of `inside` and `outside` [px].
        cover: Share of the pigment, 0 to 1.
        fade: Visibility at (x, y) as `fade @ (1, x, y)`: gone below 0, whole above 1.
    """

    layers: tuple[Layer, ...]
    feather: float
    inside: Float64[np.ndarray, "m 2"] | None = None
    outside: Float64[np.ndarray, "k 2"] | None = None
    edge: float = 0.0
    cover: float = 1.0
    fade: Float64[np.ndarray, "3"] = field(default_factory=lambda: np.array([1.0, 0.0, 0.0]))


class FaceShape:
    """The landmarks of a face, and what all products need of them.

    Attributes:
        points: x and y [px].
        unit: Distance of the outer eye corners in space [px].
        size: Longer side of the landmarks' box [px].
    """

    def __init__(self, landmarks: Float64[np.ndarray, "478 3"]) -> None:
        """Measures the face."""
        first, last = load().anchors
        self.points = landmarks[:, :2]
        self.unit = math.dist(landmarks[first], landmarks[last])
        self.size = float(np.ptp(self.points, axis=0).max())
        self._facing = facing(landmarks)

    @cached_property
    def eyes(self) -> tuple["EyeShape", ...]:
        """The right eye and the left one."""
        return tuple(EyeShape(self, eye) for eye in _rows().eyes)

    def fade(
        self, landmarks: Sequence[int], gone: float = 0.25, whole: float = 0.5
    ) -> Float64[np.ndarray, "3"]:
        """`Area.fade` of a part of the face: the plane through the cosines at its landmarks.

        A ridge keeps the plane level across landmarks that nearly lie on a line.

        Args:
            landmarks: The part.
            gone: Cosine at which makeup is gone.
            whole: Cosine from which it is whole.
        """
        rows = list(landmarks)
        samples = np.column_stack([self.points[rows] / self.unit, self._facing[rows]])
        middle = samples.mean(axis=0)
        samples -= middle
        (xx, xy, xc), (_, yy, yc), _ = (samples.T @ samples).tolist()
        xx, yy = xx + 2e-3 * len(rows), yy + 2e-3 * len(rows)
        slope = np.array([xc * yy - yc * xy, yc * xx - xc * xy]) / (xx * yy - xy * xy)
        level = middle[2] - slope @ middle[:2] - gone
        return np.array([level, *(slope / self.unit)]) / (whole - gone)


class EyeShape:
    """Smooth lines of an eye; each runs from its outer to its inner end.

    Attributes:
        lash: The edge of the upper lid.
        lower: The edge of the lower lid.
        fold: Where the upper lid folds.
        bone: Halfway from the fold to the brow.
        ring: Four points on the outline of the iris, each opposite the next but one.
        opening: What the lids leave open, as a polygon.
        fade: `Area.fade` of the eye.
    """

    def __init__(self, face: FaceShape, eye: "_Eye") -> None:
        """Draws the lines."""
        spline = _spline(len(eye.upper), False)
        rows = [face.points[list(row)] for row in (eye.upper, eye.lower, eye.fold, eye.bone)]
        self.lash, self.lower, self.fold, self.bone = spline @ np.stack(rows)
        self.ring = face.points[list(eye.iris[1:])]
        self.opening = np.concatenate([self.lash, self.lower[-2:0:-1]])
        self.fade = face.fade(eye.upper + eye.lower + eye.fold)


def facing(landmarks: Float64[np.ndarray, "478 3"]) -> Float64[np.ndarray, "478"]:
    """The cosine between the surface's normal and the direction to the camera, at each landmark.

    The normals are the mean face's, turned as the head is: those of the landmarks themselves follow
    each fold of an open mouth.
    """
    moment = (landmarks - landmarks.mean(axis=0)).T @ _centred_template()
    left, size, right = np.linalg.svd(moment)
    if size[2] < 1e-3 * size[0]:  # flat: front and back would fit equally well
        left[:, 2] *= np.sign(np.linalg.det(left) * np.linalg.det(right))
    return np.asarray(-(_normals() @ (left @ right).T)[:, 2])


@cache
def _centred_template() -> Float64[np.ndarray, "478 3"]:
    """The mean face around its middle."""
    template = load().template
    return np.asarray(template - template.mean(axis=0))


@cache
def _normals(rounds: int = 4) -> Float64[np.ndarray, "478 3"]:
    """Normals of the mean face, smoothed over neighbours."""
    topology = load()
    corners = topology.template[topology.triangles]
    crosses = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros((topology.points, 3))
    for corner in topology.triangles.T:
        np.add.at(normals, corner, crosses)
    if normals[:, 2].sum() > 0:
        normals = -normals
    first, second = topology.edges.T
    for _ in range(rounds):
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
        near = normals.copy()
        np.add.at(near, first, normals[second])
        np.add.at(near, second, normals[first])
        normals = near
    return np.asarray(normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9))


def lips(face: FaceShape) -> Iterator[Area]:
    """The lips without what an open mouth shows."""
    outer, inner = _rows().lips
    gap = _loop(face.points, inner)
    yield Area(
        (Layer(_loop(face.points, outer)),),
        feather=0.012 * face.unit,
        outside=gap,
        edge=0.005 * face.unit,
        fade=face.fade([*outer.corners, *outer.upper, *outer.lower], 0.1, 0.45),
    )


def eye_lines(face: FaceShape) -> Iterator[Area]:
    """A line along the upper lashes that grows towards the outer corner and runs out in a wing."""
    for eye in face.eyes:
        lash, outer, middle = eye.lash, eye.lash[0], len(eye.lash) // 2
        up = _unit(eye.fold[middle] - eye.lower[middle])
        # The wing goes on where the lower lid ends, a little steeper.
        ahead = _unit(_unit(outer - eye.lower[len(lash) // 3]) + 0.35 * up)
        tip = outer + 0.2 * math.dist(outer, lash[-1]) * ahead
        along = np.linspace(1, 0, len(lash))[:, None]
        above = lash + up * face.unit * (0.006 + 0.020 * along**1.5)
        below = lash - up * face.unit * 0.004
        outline = np.concatenate([tip[None], above, below[::-1]])
        yield Area((Layer(outline),), feather=0.005 * face.unit, fade=eye.fade)


def eye_lids_and_folds(face: FaceShape) -> Iterator[Area]:
    """The upper lid, and weaker from the fold towards the brow."""
    for eye in face.eyes:
        layers = [
            Layer(np.concatenate([eye.lash, top[::-1]]), level)
            for share, level in ((0.8, 0.3), (0.4, 0.6), (0.0, 1.0))
            for top in [eye.fold + share * (eye.bone - eye.fold)]
        ]
        yield Area(
            tuple(layers),
            feather=0.028 * face.unit,
            outside=eye.opening,
            edge=0.006 * face.unit,
            fade=eye.fade,
        )


def cheeks(face: FaceShape) -> Iterator[Area]:
    """The cheeks, from their middle up to the temples."""
    oval = _loop_curve(face.points[list(_rows().oval)])
    middle = oval.mean(axis=0)
    oval = middle + 0.93 * (oval - middle)  # its soft edge ends at the outline of the face
    for row in _rows().cheeks:
        yield Area(
            (Layer(_loop_curve(face.points[list(row)])),),
            feather=0.075 * face.unit,
            inside=oval,
            edge=0.04 * face.unit,
            fade=face.fade(row),
        )


def irises(face: FaceShape) -> Iterator[Area]:
    """The irises without pupils, as far as the lids leave them visible."""
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)[:, None]
    for eye in face.eyes:
        first, top, second, bottom = eye.ring
        circle = np.cos(angle) * (first - second) / 2 + np.sin(angle) * (top - bottom) / 2
        centre = (first + top + second + bottom) / 4
        across = (math.dist(first, second) + math.dist(top, bottom)) / 2
        middle = slice(len(eye.lash) // 3, -len(eye.lash) // 3)
        gap = float(np.hypot(*(eye.lash[middle] - eye.lower[middle]).T).mean())
        yield Area(
            (Layer(centre + 0.96 * circle), Layer(centre + 0.36 * circle, 0.0)),
            feather=0.05 * across,
            inside=eye.opening,
            edge=0.03 * across,
            cover=min(max((gap / max(across, 1e-9) - 0.15) / 0.2, 0.0), 1.0),
            fade=eye.fade,
        )


@dataclass(frozen=True)
class _Eye:
    """Landmarks of an eye; rows run from the outer to the inner end."""

    upper: tuple[int, ...]
    lower: tuple[int, ...]
    fold: tuple[int, ...]
    bone: tuple[int, ...]
    iris: tuple[int, ...]


@dataclass(frozen=True)
class _Rows:
    """All landmarks that products use; of pairs, the subject's right first."""

    lips: tuple[Lids, Lids]
    eyes: tuple[_Eye, _Eye]
    cheeks: tuple[tuple[int, ...], tuple[int, ...]]
    oval: tuple[int, ...]


@cache
def _rows() -> _Rows:
    topology = load()
    lids = eye_lids(topology)[0]
    outer, inner = lids.corners
    right = _Eye(
        upper=(outer, *lids.upper, inner),
        lower=(outer, *lids.lower, inner),
        fold=_FOLD,
        bone=_UNDER_BROW,
        iris=topology.irises[0].indices,
    )

    def mirrored(row: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(topology.mirror[list(row)].tolist())

    left = _Eye(*(mirrored(getattr(right, name)) for name in _Eye.__dataclass_fields__))
    return _Rows(
        lips=(borders(topology.contours["lips_outer"][0], topology), lips_inside(topology)),
        eyes=(right, left),
        cheeks=(_CHEEK, mirrored(_CHEEK)),
        oval=topology.indices("face_oval"),
    )


def _unit(vector: Float64[np.ndarray, "2"]) -> Float64[np.ndarray, "2"]:
    return vector / max(math.hypot(*vector), 1e-9)


def _loop(points: Float64[np.ndarray, "n 2"], lids: Lids) -> Float64[np.ndarray, "m 2"]:
    """The closed line through both borders; its corners stay sharp."""
    first, last = lids.corners
    upper, lower = (_curve(points[[first, *row, last]]) for row in (lids.upper, lids.lower))
    return np.concatenate([upper, lower[-2:0:-1]])


def _curve(points: Float64[np.ndarray, "k 2"]) -> Float64[np.ndarray, "m 2"]:
    return np.asarray(_spline(len(points), False) @ points)


def _loop_curve(points: Float64[np.ndarray, "k 2"]) -> Float64[np.ndarray, "m 2"]:
    return np.asarray(_spline(len(points), True) @ points)


@cache
def _spline(count: int, closed: bool, steps: int = 6) -> Float64[np.ndarray, "m k"]:
    """The matrix from points to a uniform Catmull-Rom spline through them.

    The ends of an open one are straight: the point before the first is its reflection.
    """
    eye = np.eye(count)
    ends = (eye[-1:], eye[:2]) if closed else (2 * eye[:1] - eye[1:2], 2 * eye[-1:] - eye[-2:-1])
    knots = np.concatenate([ends[0], eye, ends[1]])
    t = (np.arange(steps) / steps)[:, None, None]
    parts = [
        0.5
        * (
            2 * b
            + (c - a) * t
            + (2 * a - 5 * b + 4 * c - d) * t**2
            + (3 * b - a - 3 * c + d) * t**3
        )
        for a, b, c, d in [
            tuple(knots[i + j][None, None] for j in range(4))
            for i in range(count if closed else count - 1)
        ]
    ]
    rows = np.concatenate([part.reshape(steps, count) for part in parts])
    return rows if closed else np.concatenate([rows, eye[-1:]])
