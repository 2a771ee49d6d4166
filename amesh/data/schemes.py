"""Converts points of any label scheme to target landmarks with weights.

The topology's map defines each labelled point as a mean of landmarks. The inverse is not unique: a
midpoint of two landmarks does not determine either of them. The targets are therefore the mean
face, posed on the labels, with the smallest change that moves every labelled point to its label.
The weight of a landmark is the sum of its shares in the labelled points: a landmark that is itself
a labelled point gets that point's weight, and the two landmarks of a midpoint get half each.
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
    """The map between the points of a label scheme and the landmarks of a topology.

    Attributes:
        name: Name of the label scheme.
        own: Whether the scheme is the topology's own: point i is landmark i, with the same zero
            of depth.
        matrix: From landmarks to points.
        inverse: Its pseudo-inverse, from points to the smallest change of landmarks.
        weights: Weight of each point; 0 if it has no counterpart.
    """

    name: str
    own: bool
    matrix: Float[np.ndarray, "k n"]
    inverse: Float[np.ndarray, "n k"]
    weights: Float[np.ndarray, " k"]


def known_schemes(topology: Topology) -> tuple[str, ...]:
    """Returns the names of the label schemes that can train this topology."""
    named = [name for name, entry in _entries().items() if entry["map"] in topology.maps]
    return tuple(sorted({topology.name, *named, *topology.maps}))


@cache
def label_map(scheme: str, topology: Topology) -> LabelMap:
    """Returns the map between a label scheme and a topology.

    Raises:
        UserError: The topology has no map for this scheme, or no mean face.
    """
    if scheme == topology.name:
        identity = np.eye(topology.points)
        return LabelMap(scheme, True, identity, identity, np.ones(topology.points))
    entry = _entries().get(scheme, {"map": scheme, "weights": []})
    if entry["map"] not in topology.maps:
        raise UserError(
            f"labels in scheme {scheme!r} cannot train topology {topology.name!r}: it has no map "
            f"for them; it trains on: {', '.join(known_schemes(topology))}"
        )
    if not topology.template.any():
        raise UserError(
            f"topology {topology.name!r} has no template face, which is needed for labels in "
            f"another scheme ({scheme!r})"
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
    """Converts labelled points to landmarks with weights.

    Args:
        points: x, y and, optionally, z [image px].
        known: Map of the points' scheme.
        topology: Topology of the trained network.
        weight_xy: Weights of x and y, multiplied by those of the scheme; 1 by default.
        weight_z: Weights of z, likewise; by default 1 if there is a z.
        visibility: 1 for visible points; 1 by default.

    Raises:
        UserError: The number of points is not the scheme's, too few of them have a weight, or one
            is not finite.
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
        raise UserError(f"{int(used.sum())} labelled points; a face needs 3 different ones")
    if known.own and used.all() and points.shape[1] == 3:
        return _targets(points, xy, z, seen)
    if not topology.template.any():  # own scheme without a mean face to place the other landmarks
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
        # Depth in another scheme has its own zero, which is shifted to the template's.
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
    """Fits the mean face into a box, as the landmarks of a region without labelled points.

    Args:
        box: Left, top, right, bottom [image px].
        topology: If it has no template, the landmarks are placed on the box's diagonal.
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
