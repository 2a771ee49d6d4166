"""From the points of any scheme to the landmarks that are trained, and how much each counts.

The topology's map says which mean of landmarks a labelled point is. Its inverse is not unique: a
point between two landmarks says where their middle lies, not where each does. Decision: the mean
face is posed on the labels, and the smallest change of it that puts every labelled point in its
place gives the targets; each landmark counts what the points it takes part in give to it. A single
landmark gets its label and weight, two landmarks of a midpoint half the weight each.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from amesh.data.posing import fit_pose
from amesh.errors import UserError
from amesh.topology.scheme import Topology


class Targets(NamedTuple):
    """Labels of one face as landmarks of the topology.

    Attributes:
        landmarks: (n, 3) [image px].
        weight_xy: (n,).
        weight_z: (n,).
        visibility: (n,).
    """

    landmarks: Float[np.ndarray, "n 3"]
    weight_xy: Float[np.ndarray, " n"]
    weight_z: Float[np.ndarray, " n"]
    visibility: Float[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class LabelMap:
    """How the points of one scheme become landmarks of a topology.

    Attributes:
        name: Of the label scheme.
        own: The scheme is the topology's: point i is landmark i, depth zero included.
        matrix: Landmarks to points.
        inverse: Its pseudo-inverse: points to the smallest change of landmarks.
        weights: What each point counts; 0 for one that has no landmark.
    """

    name: str
    own: bool
    matrix: Float[np.ndarray, "k n"]
    inverse: Float[np.ndarray, "n k"]
    weights: Float[np.ndarray, " k"]


def known_schemes(topology: Topology) -> tuple[str, ...]:
    """Names of the label schemes that train this topology."""
    named = [name for name, entry in _entries().items() if entry["map"] in topology.maps]
    return tuple(sorted({topology.name, *named, *topology.maps}))


@cache
def label_map(scheme: str, topology: Topology) -> LabelMap:
    """How the points of `scheme` become landmarks of `topology`.

    Raises:
        UserError: The topology has no map for this scheme, or no mean face to pose with it.
    """
    if scheme == topology.name:
        identity = np.eye(topology.points)
        return LabelMap(scheme, True, identity, identity, np.ones(topology.points))
    entry = _entries().get(scheme, {"map": scheme, "weights": []})
    if entry["map"] not in topology.maps:
        raise UserError(
            f"labels in scheme {scheme!r} cannot train topology {topology.name!r}: it has no map "
            f"to them; it trains on: {', '.join(known_schemes(topology))}"
        )
    if not topology.template.any():
        raise UserError(
            f"topology {topology.name!r} has no template face, which labels in another scheme "
            f"({scheme!r}) need"
        )
    matrix = topology.map_matrix(entry["map"])
    weights = np.ones(len(matrix))
    for first, after, weight in entry["weights"]:
        weights[first:after] = weight
    weights[~matrix.any(1)] = 0.0
    return LabelMap(scheme, False, matrix, np.linalg.pinv(matrix), weights)


def to_landmarks(
    points: Float[np.ndarray, "k d"],
    known: LabelMap,
    topology: Topology,
    weight_xy: Float[np.ndarray, " k"] | None = None,
    weight_z: Float[np.ndarray, " k"] | None = None,
    visibility: Float[np.ndarray, " k"] | None = None,
) -> Targets:
    """Labelled points as landmarks with weights.

    Args:
        points: x, y and perhaps z [image px].
        known: Of the scheme the points are in.
        topology: That the network is trained in.
        weight_xy: What x and y of each point count, besides the scheme's weights; 1 by default.
        weight_z: What its z counts; by default 1 where there is a z.
        visibility: 1 where a point can be seen; 1 by default.

    Raises:
        UserError: The number of points is not the scheme's, too few of them count, or one is not
            finite.
    """
    count = len(known.weights)
    if len(points) != count:
        raise UserError(f"{len(points)} points, but scheme {known.name!r} has {count}")
    xy = np.ones(count) if weight_xy is None else weight_xy.astype(np.float64)
    xy = xy * known.weights
    z = np.full(count, float(points.shape[1] == 3)) if weight_z is None else weight_z
    z = z * known.weights * (points.shape[1] == 3)
    seen = np.ones(count) if visibility is None else visibility
    used = xy > 0
    if not np.isfinite(points[used]).all():
        raise UserError("a labelled point is not finite")
    if used.sum() < 3 or np.ptp(points[used, :2], axis=0).max() <= 0:
        raise UserError(f"{int(used.sum())} labelled points; a face needs 3 that lie apart")
    if known.own and used.all() and points.shape[1] == 3:
        return _targets(points, xy, z, seen)
    if not topology.template.any():  # own scheme: some landmarks have nowhere to go
        guess = np.zeros((topology.points, 3))
        guess[:, :2] = points[used, :2].mean(0)
    else:
        labelled = points[used, :2].astype(np.float64)
        posed = fit_pose(topology.template, known.matrix[used], labelled)
        guess = posed.apply(topology.template)
    change = np.zeros((count, 3))
    at = known.matrix @ guess
    change[:, :2] = np.where(used[:, None], points[:, :2] - at[:, :2], 0.0)
    deep = z > 0
    if deep.any():
        # A foreign depth has a zero of its own: it is moved to the template's.
        shift = 0.0 if known.own else float((at[deep, 2] - points[deep, 2]).mean())
        change[deep, 2] = points[deep, 2] + shift - at[deep, 2]
    share = known.matrix.T  # n k
    hidden = share @ (1.0 - seen)
    return _targets(
        guess + known.inverse @ change,
        np.minimum(share @ xy, 1.0),
        np.minimum(share @ z, 1.0),
        1.0 - np.minimum(hidden, 1.0),
    )


def place_template(box: Sequence[float], topology: Topology) -> Float[np.ndarray, "n 3"]:
    """The mean face, filling a box: says where a region lies that has no labelled points.

    Args:
        box: Left, top, right, bottom [image px].
        topology: Without a template, its landmarks fill the box's diagonal.
    """
    low, high = np.array(box[:2], np.float64), np.array(box[2:], np.float64)
    face = topology.template
    if not face.any():
        face = np.linspace(0.0, 1.0, topology.points)[:, None] * np.array([1.0, 1.0, 0.0])
    first, last = face[:, :2].min(0), face[:, :2].max(0)
    scale = float(((high - low) / (last - first)).max())
    placed = face * scale
    placed[:, :2] += (low + high) / 2 - (first + last) / 2 * scale
    return placed.astype(np.float32)


def _targets(
    points: np.ndarray, weight_xy: np.ndarray, weight_z: np.ndarray, visibility: np.ndarray
) -> Targets:
    values = (points, weight_xy, weight_z, visibility)
    return Targets(*(value.astype(np.float32) for value in values))


@cache
def _entries() -> dict[str, dict[str, Any]]:
    text = (resources.files("amesh.data") / "schemes.json").read_text(encoding="utf-8")
    return {name: entry for name, entry in json.loads(text).items() if name != "about"}
