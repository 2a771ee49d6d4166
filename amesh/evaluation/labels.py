"""Label manifests: JSON Lines, one labelled face a line.

A line carries `image` (relative to the manifest's folder), `source`, `licence`, `scheme` (null
where only the presence of a face is known), `points` (absent or null for such a line), and
`coordinates`: `corner` (as everywhere in this package) or `index` (the centre of the top-left pixel
is (0, 0)).
Optional: `width` and `height` [px], `person`, and `yaw`, `pitch`, `roll` [degrees].
"""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

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


def read_labels(manifest: Path, coordinates: Coordinates | None = None) -> list[Label]:
    """Reads a manifest.

    Args:
        manifest: The JSONL file.
        coordinates: What the lines without a `coordinates` key use. A line's own key wins.

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
    labels = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            labels.append(_parse(line, manifest, f"{manifest}, line {number}", coordinates))
    if not labels:
        raise UserError(f"{manifest}: no label in it")
    return labels


def limit_labels(labels: Sequence[Label], limit: int) -> list[Label]:
    """At most so many labels of each source, spread evenly over it, in their order."""
    totals = Counter(label.source for label in labels)
    seen: Counter[str] = Counter()
    kept = []
    for label in labels:
        total, number = totals[label.source], seen[label.source]
        seen[label.source] += 1
        step = min(limit, total) / total
        if math.floor((number + 1) * step + 1e-9) > math.floor(number * step + 1e-9):
            kept.append(label)
    return kept


def persons(labels: Sequence[Label]) -> Int[np.ndarray, " n"]:
    """A number for each label, equal for the same person of the same source.

    A label whose person is unknown counts as a person of its own.
    """
    numbers: dict[tuple[str, str | int], int] = {}
    keys: list[tuple[str, str | int]] = [
        (label.source, label.person if label.person is not None else i)
        for i, label in enumerate(labels)
    ]
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


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
    points = _points(data, where)
    if len(points):
        points = (
            points + np.array([*(_offset(data, where, coordinates),) * 2, 0])[: points.shape[1]]
        )
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
    )


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
