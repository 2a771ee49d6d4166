"""COCO keypoints: one JSON file with `images` and `annotations`.

The faces of COCO-WholeBody, LaPa, WFLW, 300-W and others are distributed in this format.

Convention:
    - coordinates are pixel indices: the centre of the top-left pixel is (0, 0)
    - a keypoint is x, y, v; v is 0 for unlabelled, 1 for labelled but hidden, 2 for visible
"""

import codecs
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from amesh.data.sources.coordinates import Coordinates, offset
from amesh.data.sources.files import picture_in
from amesh.data.sources.keys import face_key
from amesh.data.sources.labelled_face import LabelledFace, check_points
from amesh.data.sources.problems import Problems
from amesh.data.sources.source import ListSource, finish
from amesh.errors import UserError
from amesh.files import check_readable
from amesh.json_lines import convert, parse

_SCHEMES = {68: "ibug68", 70: "face_synthetics70", 98: "wflw98", 106: "lapa106", 478: "face478"}
_Id = int | float | str


class _Picture(msgspec.Struct):
    """An entry of `images`."""

    id: _Id
    file_name: str
    license: _Id | None = None


class _Licence(msgspec.Struct):
    """An entry of `licenses`."""

    id: _Id
    name: str


class _File(msgspec.Struct):
    """The file; annotations are checked one by one."""

    images: list[_Picture]
    annotations: list[Any]
    licenses: list[_Licence] | None = None


class _Annotation(msgspec.Struct):
    """An entry of `annotations`. COCO-WholeBody has a key of its own for the points of the face."""

    image_id: _Id
    id: _Id | None = None
    face_kpts: list[float | None] | None = None
    keypoints: list[float | None] | None = None


def read_coco(
    path: Path,
    problems: Problems,
    images: Path | None = None,
    scheme: str | None = None,
    coordinates: Coordinates = "index",
    licence: str | None = None,
    outside: bool = False,
) -> ListSource:
    """Reads an annotation file.

    Args:
        path: The JSON file.
        problems: Handles invalid annotations.
        images: Folder that the pictures' names are relative to; by default, that of the file.
        scheme: Label scheme of the points; by default, inferred from their number.
        coordinates: Convention of the coordinates.
        licence: Licence of pictures for which the file states none.
        outside: The file may name pictures outside that folder.

    Raises:
        UserError: The file is missing, not in COCO's format or has no usable annotation, or an
            annotation is invalid.
    """
    check_readable(path)
    text = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    content = parse(text, _File, f"{path}: not a COCO annotation file")
    pictures = {one.id: one for one in content.images}
    licences: dict[_Id | None, str] = {one.id: one.name for one in content.licenses or ()}
    faces = []
    for number, entry in enumerate(content.annotations):
        with problems.guard():
            named = entry.get("id", number) if isinstance(entry, dict) else number
            where = f"{path}, annotation {named}"
            annotation = convert(entry, _Annotation, where)
            picture = pictures.get(annotation.image_id)
            if picture is None:
                raise UserError(f"{where}: its picture {annotation.image_id!r} is not listed")
            found = _labels(annotation, where, scheme, coordinates)
            if found is None:
                continue  # a person whose face was not labelled
            points, seen, kind = found
            faces.append(
                LabelledFace(
                    picture=picture_in(images or path.parent, picture.file_name, where, outside),
                    scheme=kind,
                    points=points,
                    source=path.stem,
                    key=face_key(picture.file_name, named if isinstance(named, int) else number),
                    where=where,
                    licence=licences.get(picture.license, licence),
                    weight_xy=(seen > 0).astype(np.float32),
                    visibility=(seen != 1).astype(np.float32),
                )
            )
    return finish(str(path), faces, problems)


def _labels(
    annotation: _Annotation, where: str, scheme: str | None, coordinates: Coordinates
) -> tuple[np.ndarray, np.ndarray, str] | None:
    """Returns the points, their v and the scheme; None if nothing is labelled."""
    values = annotation.face_kpts or annotation.keypoints
    if not values:
        return None
    if len(values) % 3:
        raise UserError(f"{where}: keypoints must be a list of x, y, v for each point")
    rows = [values[i : i + 3] for i in range(0, len(values), 3)]
    table = check_points(rows, where, dimensions=(3,))
    kind = scheme or _SCHEMES.get(len(table))
    if kind is None:
        raise UserError(f"{where}: {len(table)} points; state their `scheme`")
    if not (table[:, 2] > 0).any():
        return None
    return table[:, :2] + np.float32(offset(coordinates)), table[:, 2], kind
