"""Label manifests: JSON Lines, one labelled face a line.

A line carries `image` (relative to the manifest's folder), `source`, `licence`, `scheme` (null
where only the presence of a face is known), `points` (absent or null for such a line), and
`coordinates`: `corner` (as everywhere in this package) or `index` (the centre of the top-left pixel
is (0, 0)).
Optional: `width` and `height` [px], `person`, `group` (text, or an object of texts), `split`, and
`yaw`, `pitch`, `roll` [degrees]. For training also `weights`, `weights_z` and `visibility` (a
number from 0 to 1 for each point), and `face: false` for a region without a face, with its `box`
[left, top, right, bottom] in the same coordinates as points; without one, the whole picture.
"""

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from amesh.data.sources.records import Problems
from amesh.errors import UserError

Coordinates = Literal["corner", "index"]

_KINDS = ("corner", "index")


@dataclass(frozen=True, eq=False)
class Label:
    """What is known of one face in one picture.

    Attributes:
        image: The picture's file.
        source: The data set it comes from; figures are given per source.
        licence: Terms of the picture.
        scheme: Name of the label scheme, or None where there are no points.
        points: (p, 2) or (p, 3), or (0, 2) [image px, corner coordinates].
        size: Width and height of the picture [px], where the manifest tells them.
        person: Who it is, where known: pictures of one person are not independent.
        yaw: Turn of the head to the side [degrees], where known.
        where: Manifest and line, for messages.
        group: Of the person, as the manifest states it.
        split: Such as train or test, where the manifest says so.
        face: False where the line says that the region holds no face.
        box: Left, top, right, bottom [image px, corner coordinates] of such a region.
        weight_xy: What x and y of each point count in training.
        weight_z: What its z counts.
        visibility: 1 where a point can be seen, 0 where it is hidden.
    """

    image: Path
    source: str
    licence: str
    scheme: str | None
    points: Float[np.ndarray, "p d"]
    size: tuple[int, int] | None
    person: str | None
    yaw: float | None
    where: str
    group: str = ""
    split: str | None = None
    face: bool = True
    box: tuple[float, float, float, float] | None = None
    weight_xy: Float[np.ndarray, " p"] | None = None
    weight_z: Float[np.ndarray, " p"] | None = None
    visibility: Float[np.ndarray, " p"] | None = None


def read_labels(
    manifest: Path, coordinates: Coordinates | None = None, problems: Problems | None = None
) -> list[Label]:
    """Reads a manifest.

    Args:
        manifest: The JSONL file.
        coordinates: What the lines without a `coordinates` key use. A line's own key wins.
        problems: What to do about a wrong line; by default the first one raises.

    Raises:
        UserError: The file is missing or empty, or a line of it is wrong; names the line.
    """
    try:
        lines = manifest.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise UserError(f"{manifest}: no such file; give a JSONL manifest of labels") from None
    except IsADirectoryError:
        raise UserError(f"{manifest}: a folder; give the JSONL manifest in it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{manifest}: cannot be read as text ({error})") from error
    labels, problems = [], problems or Problems()
    for number, line in enumerate(lines, 1):
        if line.strip():
            with problems.guard():
                labels.append(_parse(line, manifest, f"{manifest}, line {number}", coordinates))
    if not labels:
        first = f"; the first problem: {problems.messages[0]}" if problems.messages else ""
        raise UserError(f"{manifest}: no label in it{first}")
    return labels


def _parse(text: str, manifest: Path, where: str, coordinates: Coordinates | None) -> Label:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{where}: not JSON ({error.msg}, column {error.colno})") from None
    if not isinstance(data, dict):
        raise UserError(f"{where}: expected an object {{...}}, found {type(data).__name__}")
    for key in ("image", "source", "licence", "scheme"):
        if key not in data:
            raise UserError(f"{where}: key {key!r} is missing")
        if not (isinstance(data[key], str) and data[key]) and (key, data[key]) != ("scheme", None):
            raise UserError(f"{where}: {key!r} must be a text, found {data[key]!r}")
    points, box = _points(data, where), data.get("box")
    if len(points) or box is not None:
        offset = _offset(data, where, coordinates)
        points = points + np.array([offset, offset, 0.0])[: points.shape[1]]
        box = None if box is None else _box(box, offset, where)
    count = len(points)
    size = (_number(data, "width", where), _number(data, "height", where))
    person = data.get("person")
    return Label(
        image=manifest.parent / data["image"],
        source=data["source"],
        licence=data["licence"],
        scheme=data["scheme"],
        points=points,
        size=(int(size[0]), int(size[1])) if size[0] is not None and size[1] is not None else None,
        person=None if person is None else str(person),
        yaw=_number(data, "yaw", where),
        where=where,
        group=group_text(data.get("group")),
        split=None if data.get("split") is None else str(data["split"]),
        face=data.get("face") is not False,
        box=box,
        weight_xy=_shares(data, "weights", count, where),
        weight_z=_shares(data, "weights_z", count, where),
        visibility=_shares(data, "visibility", count, where),
    )


def label_key(label: Label, manifest: Path) -> str:
    """Names a label in lists of keys: its picture, relative to the manifest, and its line."""
    return f"{os.path.relpath(label.image, manifest.parent)}#{label.where.split()[-1]}"


def group_text(value: Any) -> str:
    """What a manifest says of a person's group, as one text."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {part}" for name, part in sorted(value.items()))
    return "" if value is None else str(value)


def _box(values: Any, offset: float, where: str) -> tuple[float, float, float, float]:
    numbers = [v for v in values if isinstance(v, int | float)] if isinstance(values, list) else []
    if len(numbers) != 4 or numbers[0] >= numbers[2] or numbers[1] >= numbers[3]:
        raise UserError(f"{where}: 'box' must be [left, top, right, bottom], found {values!r}")
    left, top, right, bottom = (float(number) + offset for number in numbers)
    return left, top, right, bottom


def _shares(
    data: dict[str, Any], key: str, count: int, where: str
) -> Float[np.ndarray, " p"] | None:
    found = data.get(key)
    if found is None:
        return None
    numbers = found if isinstance(found, list) else []
    good = all(isinstance(v, int | float) and 0 <= v <= 1 for v in numbers)
    if len(numbers) != count or not good:
        raise UserError(f"{where}: {key!r} must be {count} numbers from 0 to 1, one for each point")
    return np.array(numbers, dtype=np.float64)


def _points(data: dict[str, Any], where: str) -> Float[np.ndarray, "p d"]:
    found = data.get("points")
    if data["scheme"] is None:
        if found:
            raise UserError(f"{where}: has 'points' but no 'scheme' that says what they are")
        return np.zeros((0, 2))
    if not found:
        raise UserError(f"{where}: scheme {data['scheme']!r}, but no 'points'")
    try:
        points = np.array(found, dtype=np.float64)
    except (TypeError, ValueError):
        points = np.zeros(0)
    if points.ndim != 2 or points.shape[1] not in (2, 3):
        raise UserError(f"{where}: 'points' must be a list of [x, y] or of [x, y, z]")
    bad = np.flatnonzero(~np.isfinite(points).all(1))
    if len(bad):
        raise UserError(f"{where}: point {bad[0]} is {found[bad[0]]}, not finite numbers")
    return points


def _offset(data: dict[str, Any], where: str, coordinates: Coordinates | None) -> float:
    """What takes the file's coordinates to corner coordinates [px]."""
    kind = data.get("coordinates", coordinates)
    if kind is None:
        raise UserError(
            f"{where}: key 'coordinates' is missing; add it ('corner', or 'index' where the "
            "centre of the top-left pixel is (0, 0)), or say --coordinates for all lines without it"
        )
    if kind not in _KINDS:
        raise UserError(f"{where}: 'coordinates' must be 'corner' or 'index', found {kind!r}")
    return 0.5 if kind == "index" else 0.0


def _number(data: dict[str, Any], key: str, where: str) -> float | None:
    value = data.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UserError(f"{where}: {key!r} must be a number, found {value!r}")
    return float(value)
