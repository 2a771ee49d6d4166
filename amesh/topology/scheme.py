"""A topology describes a landmark scheme: its points and how they belong together.

Each scheme is one JSON file. `face478` is the scheme of the Attention Mesh. Other schemes are
files with the same keys; networks, losses and drawing work with any of them.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from jaxtyping import Float, Int, Shaped
from msgspec import Meta

from amesh import json_lines
from amesh.errors import UserError
from amesh.geometry.arrays import Array, namespace
from amesh.geometry.roi import Roi, from_landmarks, level
from amesh.topology import roi
from amesh.topology.roi import RoiRule, RoiRules

# A landmark farther than this from the middle of the mean face has a partner on the other side.
_MIDLINE = 0.05
# The scheme whose landmarks cover the whole face, as a detector's box does.
_FACE = "face478"
_SHIPPED = resources.files("amesh.topology") / "schemes"


@dataclass(frozen=True)
class Iris:
    """The iris inside an eye region.

    Attributes:
        name: Name of the output, such as `right_iris`.
        indices: Landmarks in the order of the output: the centre, then points on the outline.
        z_from: Landmarks whose mean z serves as the z of the iris if the mesh head predicts none.
    """

    name: str
    indices: tuple[int, ...]
    z_from: tuple[int, ...]


@dataclass(frozen=True)
class Region:
    """A part of the face that a submodel refines.

    Attributes:
        name: Name of the output, such as `lips`. Left and right are the subject's.
        indices: Landmarks in the order of the region's output.
        anchors: Two landmarks that lie on a horizontal line in the region's crop, image-left one
            first.
        iris: The iris that this region's submodel also predicts, if any.
    """

    name: str
    indices: tuple[int, ...]
    anchors: tuple[int, int]
    iris: Iris | None = None

    @property
    def outputs(self) -> dict[str, tuple[int, ...]]:
        """Landmarks of each output of the region's submodel: its own, then those of its iris."""
        own = {self.name: self.indices}
        return own if self.iris is None else own | {self.iris.name: self.iris.indices}


@dataclass(frozen=True, eq=False)
class Topology:
    """A landmark scheme.

    Attributes:
        name: Name of the scheme.
        points: Number of landmarks n.
        regions: Regions that a network refines unless its config says otherwise, in the order of
            its outputs.
        anchors: Two landmarks that define the roll of the face, image-left one first.
        contours: Named polylines for drawing; a closed one ends with its first landmark.
        triangles: The surface; the winding order is the source's.
        mirror: `mirror[i]` is the landmark that landmark i becomes in a mirrored picture.
        normalisers: Named pairs of landmarks whose distance normalises errors.
        maps: Named maps to other schemes, in which each point is a weighted mean of landmarks.
        template: A mean face: x right, y down, z away from the camera, outer eye corners at
            distance 1, their midpoint at the origin.
        roi: How the crop of the network is determined from landmarks and from a detected face;
            None if the file does not say. Such a topology can neither be trained nor run with a
            detector.
        midline: Top and bottom landmark of the face's midline, which show the roll of faces in
            profile; None if the file does not say, and the anchors always decide.

    Examples:
        >>> topology = load("face478")
        >>> topology.points, len(topology.triangles)
        (478, 852)
        >>> topology.indices("right_eye")[:4]
        (33, 7, 163, 144)
        >>> topology.mirror[33]  # the outer corner of the other eye
        np.int64(263)
    """

    name: str
    points: int
    regions: tuple[Region, ...]
    anchors: tuple[int, int]
    contours: Mapping[str, tuple[tuple[int, ...], ...]]
    triangles: Int[np.ndarray, "t 3"]
    mirror: Int[np.ndarray, " n"]
    normalisers: Mapping[str, tuple[int, int]]
    maps: Mapping[str, tuple[tuple[tuple[int, float], ...], ...]]
    template: Float[np.ndarray, "n 3"]
    roi: RoiRules | None = None
    midline: tuple[int, int] | None = None

    def region_of_interest(self, landmarks: Float[Array, "b n d"]) -> Roi:
        """Returns the region of interest of faces with known landmarks, in NumPy or PyTorch.

        Training cuts its crops there, and running looks there next.

        Args:
            landmarks: All landmarks of each face [image px]; a third coordinate is not used.

        Examples:
            >>> topology = load()
            >>> topology.region_of_interest(100 * topology.template[None]).angle
            array([0.])
        """
        points = landmarks[..., :2]
        line = _ends(points, self.anchors)
        if self.midline is not None:
            frontal = self._length(self.anchors) / self._length(self.midline)
            line = level(line, _ends(points, self.midline), frontal)
        return from_landmarks(points, line, self.landmark_rule)

    def _length(self, pair: tuple[int, int]) -> float:
        """Distance of two landmarks on the mean face, seen from the front."""
        first, second = self.template[list(pair), :2]
        return math.dist(first, second)

    @property
    def landmark_rule(self) -> RoiRule:
        """The rule for the crop from landmarks; by default, 1.5 times their box."""
        return self.roi.from_landmarks if self.roi else RoiRule()

    def require_roi(self) -> RoiRules:
        """Returns the rules for the crop from landmarks and from a detected face.

        Raises:
            UserError: The file has none; the message contains the line to add.
        """
        if self.roi is None:
            raise UserError(
                f"topology {self.name} does not say how a crop is determined from landmarks and "
                "from a detected face (docs/topology.md); for 1.5 times the box of landmarks, add "
                + roi.suggested(self.template, load(_FACE).template)
            )
        return self.roi

    @property
    def edges(self) -> Int[np.ndarray, "e 2"]:
        """Each edge of the triangles once, smaller landmark first."""
        if not len(self.triangles):
            return np.zeros((0, 2), dtype=np.int64)
        pairs = self.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
        return np.unique(np.sort(pairs, axis=1), axis=0)

    @property
    def irises(self) -> tuple[Iris, ...]:
        """The irises, in the order of their regions."""
        return tuple(region.iris for region in self.regions if region.iris is not None)

    @property
    def outputs(self) -> dict[str, tuple[int, ...]]:
        """Landmarks of each region and iris by name, in the order of the network's outputs."""
        return {name: points for r in self.regions for name, points in r.outputs.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """All names that `indices` accepts: irises, contours and regions."""
        irises, regions = ([part.name for part in parts] for parts in (self.irises, self.regions))
        return tuple(dict.fromkeys([*irises, *self.contours, *regions]))

    def indices(self, name: str) -> tuple[int, ...]:
        """Returns the landmarks of a named part of the face, each once.

        An iris starts with its centre. A contour's landmarks follow its line; a region's are in
        the order of the region's output. If a contour and a region share a name, such as
        `right_eye`, the contour takes precedence.

        Examples:
            >>> load().indices("right_iris")
            (468, 469, 470, 471, 472)

        Raises:
            UserError: No part has this name; the message lists the parts.
        """
        for part in self.irises:
            if part.name == name:
                return part.indices
        if name in self.contours:
            return tuple(dict.fromkeys(i for line in self.contours[name] for i in line))
        for region in self.regions:
            if region.name == name:
                return region.indices
        raise UserError(
            f"topology {self.name} has no part {name!r}; it has: {', '.join(self.names)}"
        )

    def has_landmarks_of(self, other: "Topology") -> bool:
        """Tells whether each landmark is the same point of the face in both topologies.

        This holds if they have the same name, and for a copy under another name, which has the
        same mirror and mean face.
        """
        if self.points != other.points:
            return False
        return self.name == other.name or (
            np.array_equal(self.mirror, other.mirror)
            and np.allclose(self.template, other.template, atol=1e-6)
        )

    def map_matrix(self, name: str) -> Float[np.ndarray, "k n"]:
        """Returns the matrix from landmarks to the points of scheme `name`.

        Raises:
            UserError: There is no map to this scheme.
        """
        if name not in self.maps:
            known = ", ".join(sorted(self.maps)) or "none"
            raise UserError(f"topology {self.name} has no map to scheme {name!r}; it has: {known}")
        matrix = np.zeros((len(self.maps[name]), self.points))
        for row, parts in zip(matrix, self.maps[name], strict=True):
            for landmark, weight in parts:
                row[landmark] = weight
        return matrix

    def map_points(
        self, landmarks: Float[np.ndarray, "*b n d"], name: str
    ) -> Float[np.ndarray, "*b k d"]:
        """Converts landmarks of this topology to the points of scheme `name`.

        Examples:
            >>> topology = load("face478")
            >>> topology.map_points(topology.template, "ibug68").shape
            (68, 3)
        """
        return np.asarray(self.map_matrix(name) @ landmarks)


@cache
def load(name_or_path: str = "face478") -> Topology:
    """Loads a topology from the name of a shipped scheme, the path of a JSON file, or JSON text.

    Weights files embed a custom scheme as JSON text; see `portable`.

    Examples:
        >>> load().name
        'face478'
        >>> load("ibug68").points
        68

    Raises:
        UserError: There is no such scheme, or the file is not valid.
    """
    shipped = {entry.name.removesuffix(".json"): entry for entry in _SHIPPED.iterdir()}
    inline = name_or_path.startswith("{")
    if not inline and name_or_path not in shipped and not Path(name_or_path).is_file():
        raise UserError(
            f"no topology {name_or_path!r}: use one of {', '.join(sorted(shipped))}, "
            "or the path of a JSON file"
        )
    where = "of the weights file" if inline else name_or_path
    try:
        if inline:
            text = name_or_path
        else:
            text = shipped.get(name_or_path, Path(name_or_path)).read_text(encoding="utf-8")
        return parse(json_lines.parse(text.encode(), dict, ""))
    except (OSError, ValueError) as error:
        raise UserError(f"topology {where}: {error}") from error


def portable(name_or_path: str) -> str:
    """Returns a scheme as `load` accepts it on any machine: a shipped name, or JSON text."""
    path = Path(name_or_path)
    if name_or_path.startswith("{") or not path.is_file():
        return name_or_path
    return json.dumps(json.loads(path.read_text(encoding="utf-8")), separators=(",", ":"))


def parse(data: Mapping[str, Any]) -> Topology:
    """Builds a topology from parsed JSON and checks that it is consistent.

    Raises:
        ValueError: A key is missing or its value is of another type, a list refers to a landmark
            that does not exist, `mirror` is not its own inverse, or training and running would use
            different crops.
    """
    json_lines.convert(data, _File, "")
    n = data["points"]
    mirror = np.array(data["mirror"], dtype=np.int64)
    template = np.array(data["template"], dtype=np.float64).reshape(-1, 3)
    if len(mirror) != n or sorted(mirror) != list(range(n)) or (mirror[mirror] != range(n)).any():
        raise ValueError(f"mirror is not a permutation of {n} landmarks that is its own inverse")
    if len(template) != n:
        raise ValueError(f"template has {len(template)} points, expected {n}")
    mirror.setflags(write=False)  # topologies are shared
    template.setflags(write=False)
    triangles = data.get("triangles", [])
    if "triangles" in data and not len(triangles):
        raise ValueError("triangles is empty; leave it out if there is no surface to draw")
    topology = Topology(
        name=data["name"],
        points=n,
        regions=tuple(_region(entry) for entry in data["regions"]),
        anchors=_pair(data["anchors"]),
        contours={
            name: tuple(tuple(line) for line in lines) for name, lines in data["contours"].items()
        },
        triangles=np.array(triangles, dtype=np.int64).reshape(-1, 3),
        mirror=mirror,
        normalisers={name: _pair(pair) for name, pair in data["normalisers"].items()},
        maps={
            name: tuple(_weighted(entry) for entry in entries)
            for name, entries in data.get("maps", {}).items()
        },
        template=template,
        roi=roi.parse(data["roi"]) if "roi" in data else None,
        midline=_pair(data["midline"]) if data.get("midline") else None,
    )
    _check(topology)
    _check_crops(topology)
    return topology


_Whole = Annotated[int, Meta(ge=-(2**31), lt=2**31)]
_Pair = tuple[_Whole, _Whole]


class _IrisEntry(msgspec.Struct):
    name: str
    indices: list[_Whole]
    z_from: list[_Whole]


class _RegionEntry(msgspec.Struct):
    name: str
    indices: list[_Whole]
    anchors: _Pair
    iris: _IrisEntry | None = None


class _RoiEntry(msgspec.Struct):
    scale: float
    shift: tuple[float, float] = (0.0, 0.0)


class _File(msgspec.Struct):
    """The keys of a topology file and their types."""

    name: str
    points: Annotated[int, Meta(ge=1, le=100_000)]
    mirror: list[_Whole]
    template: list[tuple[float, float, float]]
    regions: list[_RegionEntry]
    anchors: _Pair
    contours: dict[str, list[list[_Whole]]]
    normalisers: dict[str, _Pair]
    maps: dict[str, list[_Whole | list[_Whole]]] = {}
    triangles: list[tuple[_Whole, _Whole, _Whole]] = []
    roi: dict[str, _RoiEntry] = {}
    midline: _Pair | None = None


def _region(entry: Mapping[str, Any]) -> Region:
    iris = entry.get("iris")
    return Region(
        name=entry["name"],
        indices=tuple(entry["indices"]),
        anchors=_pair(entry["anchors"]),
        iris=Iris(iris["name"], tuple(iris["indices"]), tuple(iris["z_from"])) if iris else None,
    )


def _pair(values: Any) -> tuple[int, int]:
    first, second = values
    return int(first), int(second)


def _ends(points: Shaped[Array, "b n d"], pair: tuple[int, int]) -> Shaped[Array, "b 2 d"]:
    """Two landmarks of each face; a list as an index would make a GPU wait."""
    return namespace(points).stack([points[:, i] for i in pair], 1)


def _weighted(entry: int | list[int]) -> tuple[tuple[int, float], ...]:
    """Returns a point of another scheme: one landmark, or the mean of several."""
    landmarks = [entry] if isinstance(entry, int) else entry
    return tuple((landmark, 1.0 / len(landmarks)) for landmark in landmarks)


def _check(topology: Topology) -> None:
    n = topology.points
    aside = np.abs(topology.template[:, 0])
    if aside.max() > _MIDLINE and (topology.mirror == range(n)).all():
        raise ValueError(
            f"mirror changes nothing, but landmark {aside.argmax()} is not in the middle of the "
            "face; mirror[i] is the landmark that i becomes in a mirrored picture"
        )
    lists: dict[str, list[int]] = {
        "anchors": list(topology.anchors),
        "triangles": topology.triangles.ravel().tolist(),
    }
    if topology.midline is not None:
        lists["midline"] = list(topology.midline)
    for region in topology.regions:
        lists[f"region {region.name}"] = [*region.indices, *region.anchors]
        if region.iris:
            lists[f"iris {region.iris.name}"] = [*region.iris.indices, *region.iris.z_from]
    for name, lines in topology.contours.items():
        lists[f"contour {name}"] = [landmark for line in lines for landmark in line]
    for name, pair in topology.normalisers.items():
        lists[f"normaliser {name}"] = list(pair)
    for name, points in topology.maps.items():
        lists[f"map {name}"] = [landmark for point in points for landmark, _ in point]
    for name, landmarks in lists.items():
        outside = [landmark for landmark in landmarks if not 0 <= landmark < n]
        if outside:
            raise ValueError(
                f"{name} refers to landmark {outside[0]}, but there are {n} (0 to {n - 1})"
            )
    for landmark in topology.midline or ():
        if topology.mirror[landmark] != landmark:
            raise ValueError(f"midline has landmark {landmark}, which mirror moves to another")
    if topology.midline is not None:
        top, bottom = (topology.template[i, 1] for i in topology.midline)
        if not top < bottom:
            raise ValueError("midline does not go down the face of template: top landmark first")
    names = [region.name for region in topology.regions] + [i.name for i in topology.irises]
    for name in names:
        if not name.isidentifier():
            raise ValueError(
                f"region name {name!r} is not a plain word (letters, digits, _): it names an output"
            )
    irises = {landmark for iris in topology.irises for landmark in iris.indices}
    for iris in topology.irises:
        if irises & set(iris.z_from):
            raise ValueError(f"iris {iris.name} takes its z from an iris: use points of the mesh")
    if len(set(names)) != len(names):
        raise ValueError(f"two regions share a name: {', '.join(names)}")


def _check_crops(topology: Topology) -> None:
    if topology.roi is None or topology.name == _FACE or not topology.template.any():
        return
    if wrong := roi.disagreement(topology.roi, topology.template, load(_FACE).template):
        raise ValueError(wrong)
