"""Manifests: JSON Lines with one labelled face, or one picture, per line.

A line of a label manifest has `image` (relative to the manifest's folder), `source`, `licence`,
`scheme` (null if only the presence of a face is known), `points` (absent or null in that case) and
`coordinates`: `corner` as everywhere in this package, `index` if the centre of the top-left pixel
is (0, 0), `one` if it is (1, 1).
Optional: `width` and `height` [px], `person`, `group` (text, or an object of texts), `split`,
`generated` and `yaw` [degrees]. For training also `weights`, `weights_z` and `visibility` (a number
from 0 to 1 for each point), and `face: false` for a region without a face, with its `box`
[left, top, right, bottom] in the coordinates of the points; by default, the whole picture. A point
of weight 0 is missing; its coordinates are ignored and may be null.

A manifest that only describes pictures needs only `image`. In both, an empty text stands for an
unknown value, `license` is accepted for `licence`, and other keys are ignored.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from jaxtyping import Float
from msgspec import Meta

from amesh.data.sources.coordinates import Coordinates, offset
from amesh.data.sources.files import picture_in
from amesh.data.sources.keys import face_key
from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.problems import Problems
from amesh.data.sources.source import ListSource, finish
from amesh.errors import UserError
from amesh.json_lines import lines, parse

_Text = Annotated[str, Meta(min_length=1)]
_Name = str | int | float | None  # persons, groups and splits are often numbers
_Shares = list[Annotated[float, Meta(ge=0, le=1)]] | None


class PictureLine(msgspec.Struct, kw_only=True):
    """A line about a picture, labelled or not."""

    image: _Text
    source: str | None = None
    licence: str | None = None
    license: str | None = None
    group: _Name | dict[str, _Name] = None
    person: _Name = None
    split: _Name = None
    generated: bool | None = None

    def __post_init__(self) -> None:
        if self.licence and self.license and self.licence != self.license:
            raise ValueError("`licence` and `license` differ")
        self.licence = self.licence or self.license


class FaceLine(PictureLine, kw_only=True):
    """A line about a face."""

    source: _Text
    scheme: _Text | None
    points: list[list[float | None] | None] | None = None
    coordinates: Coordinates | None = None
    weights: _Shares = None
    weights_z: _Shares = None
    visibility: _Shares = None
    face: bool | None = None
    box: tuple[float, float, float, float] | None = None
    width: Annotated[int, Meta(gt=0)] | None = None
    height: Annotated[int, Meta(gt=0)] | None = None
    yaw: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.licence:
            raise ValueError("object missing required field `licence`")


def read_manifest(
    path: Path,
    problems: Problems,
    coordinates: Coordinates | None = None,
    outside: bool = False,
) -> ListSource:
    """Reads a manifest of labelled faces.

    Args:
        path: The JSONL file; names of pictures are relative to its folder.
        problems: Handles invalid lines.
        coordinates: The convention of lines without a `coordinates` key.
        outside: Lines may name pictures outside the manifest's folder.

    Raises:
        UserError: The file is missing, has no usable line, or has an invalid one, which is named.
    """
    if path.is_dir():
        raise UserError(f"{path}: a folder; give the JSONL manifest in it")
    faces = []
    for number, text in lines(path):
        with problems.guard():
            faces.append(_face(text, path, number, coordinates, outside))
    return finish(str(path), faces, problems)


def read_pictures(path: Path, licence: str | None = None) -> list[LabelledFace]:
    """Reads a manifest of pictures: their metadata, without points.

    Args:
        path: The JSONL file; names of pictures are relative to its folder, whose name is also the
            source of pictures without one.
        licence: Licence of pictures without one.

    Raises:
        UserError: The file cannot be read, or a line is invalid; the message names the line.
    """
    found = []
    for number, text in lines(path):
        line = parse(text, PictureLine, f"{path}, line {number}")
        one = _picture(line, path, number, outside=True)  # names it, and does not read it
        found.append(replace(one, licence=one.licence or licence))
    return found


def _picture(line: PictureLine, manifest: Path, number: int, outside: bool) -> LabelledFace:
    where = f"{manifest}, line {number}"
    picture = picture_in(manifest.parent, line.image, where, outside)
    inside = os.path.relpath(picture, manifest.parent)
    return LabelledFace(
        picture=picture,
        source=line.source or Path(os.path.abspath(manifest)).parent.name,  # noqa: PTH100 - links
        key=face_key(inside, number),
        where=where,
        licence=line.licence,
        group=_group(line.group),
        person=_text(line.person),
        split=_text(line.split),
        generated=line.generated is True,
    )


def _face(
    text: bytes, manifest: Path, number: int, coordinates: Coordinates | None, outside: bool
) -> LabelledFace:
    where = f"{manifest}, line {number}"
    line = parse(text, FaceLine, where)
    points = _points(line, where)
    count = len(points)
    shares = {
        name: _shares(getattr(line, name), name, count, where)
        for name in ("weights", "weights_z", "visibility")
    }
    size = None if line.width is None or line.height is None else (line.width, line.height)
    shift = _offset(line, where, coordinates) if count or line.box is not None else 0.0
    face = replace(
        _picture(line, manifest, number, outside),
        scheme=line.scheme,
        points=points,
        face=line.face is not False,
        box=None if line.box is None else _box(line.box, shift, where),
        weight_xy=shares["weights"],
        weight_z=shares["weights_z"],
        visibility=shares["visibility"],
        size=size,
        yaw=line.yaw,
    )
    missing = ~np.isfinite(points)
    xy, z = face.weights()
    wrong = np.flatnonzero(missing[:, :2].any(1) & (xy > 0) | missing.any(1) & (z > 0))
    if len(wrong):
        raise UserError(
            f"{where}: point {wrong[0]} has a null coordinate but a weight; give it weight 0"
        )
    points = np.where(missing, 0.0, points)
    points[:, :2] += shift
    return replace(face, points=points)


def _points(line: FaceLine, where: str) -> Float[np.ndarray, "p d"]:
    """Returns the points as in the file, with null as NaN."""
    rows = line.points or []
    if line.scheme is None:
        if rows:
            raise UserError(f"{where}: has `points` but no `scheme` that defines them")
        return np.zeros((0, 2))
    if not rows:
        raise UserError(f"{where}: scheme {line.scheme!r}, but no `points`")
    lengths = {len(row) for row in rows if row is not None}
    if lengths not in ({2}, {3}):
        raise UserError(f"{where}: `points` must be a list of [x, y] or of [x, y, z]")
    nothing = [None] * lengths.pop()
    return np.array([nothing if row is None else row for row in rows], dtype=np.float64)


def _offset(line: FaceLine, where: str, coordinates: Coordinates | None) -> float:
    kind = line.coordinates or coordinates
    if kind is None:
        raise UserError(
            f"{where}: `coordinates` is missing; add it ('corner', or 'index' if the centre of the "
            "top-left pixel is (0, 0)), or give --coordinates for all lines without it"
        )
    return offset(kind)


def _shares(
    values: list[float] | None, name: str, count: int, where: str
) -> Float[np.ndarray, " p"] | None:
    if values is not None and len(values) != count:
        raise UserError(f"{where}: `{name}` has {len(values)} numbers for {count} points")
    return None if values is None else np.array(values, dtype=np.float64)


def _box(
    values: tuple[float, float, float, float], shift: float, where: str
) -> tuple[float, float, float, float]:
    left, top, right, bottom = values
    if left >= right or top >= bottom:
        raise UserError(f"{where}: `box` must be [left, top, right, bottom], found {list(values)}")
    return left + shift, top + shift, right + shift, bottom + shift


def _group(value: _Name | dict[str, _Name]) -> str:
    if isinstance(value, dict):
        known = {name: text for name, part in value.items() if (text := _text(part)) is not None}
        return ", ".join(f"{name} {text}" for name, text in sorted(known.items()))
    return _text(value) or ""


def _text(value: _Name) -> str | None:
    return None if value in (None, "") else str(value)
