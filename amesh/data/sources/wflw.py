"""WFLW annotation lists: 98 points, a box, six attributes and the picture's name on each line.

Convention:
    - coordinates are assumed to be pixel indices: the centre of the top-left pixel is (0, 0)
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from amesh.data.sources.coordinates import Coordinates, offset
from amesh.data.sources.files import picture_in, read_text
from amesh.data.sources.keys import face_key
from amesh.data.sources.labelled_face import LabelledFace, check_points
from amesh.data.sources.problems import Problems
from amesh.data.sources.source import ListSource, finish
from amesh.errors import UserError

_POINTS = 98
_ATTRIBUTES = ("pose", "expression", "illumination", "make-up", "occlusion", "blur")


def read_wflw(
    path: Path,
    problems: Problems,
    images: Path | None = None,
    coordinates: Coordinates = "index",
    licence: str | None = None,
    outside: bool = False,
) -> ListSource:
    """Reads a list such as `list_98pt_rect_attr_train.txt`.

    Args:
        path: The list.
        problems: Handles invalid lines.
        images: Folder that the pictures' names are relative to; by default, `WFLW_images` beside
            the list or in a folder above it.
        coordinates: Convention of the coordinates.
        licence: Licence of the pictures.
        outside: Lines may name pictures outside that folder.

    Raises:
        UserError: The file is missing or has no usable line, or a line is invalid.
    """
    folder = images or _images(path)
    faces = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if line.strip():
            with problems.guard():
                face = _face(line, path, number, coordinates, licence)
                picture = picture_in(folder, str(face.image), face.where, outside)
                faces.append(replace(face, picture=picture))
    return finish(str(path), faces, problems)


def _face(
    line: str, path: Path, number: int, coordinates: Coordinates, licence: str | None
) -> LabelledFace:
    where, words = f"{path}, line {number}", line.split()
    attributes = len(words) - 2 * _POINTS - 1
    if attributes not in (0, 4, 4 + len(_ATTRIBUTES)):
        raise UserError(
            f"{where}: {len(words)} fields, expected {2 * _POINTS} coordinates, 4 numbers of a "
            f"box, {len(_ATTRIBUTES)} attributes and a picture's name"
        )
    rows = [words[i : i + 2] for i in range(0, 2 * _POINTS, 2)]
    points = check_points(rows, where, _POINTS, (2,)) + np.float32(offset(coordinates))
    flags = words[2 * _POINTS + 4 : -1]
    group = [name for name, flag in zip(_ATTRIBUTES, flags, strict=False) if flag == "1"]
    return LabelledFace(
        picture=Path(words[-1]),
        scheme="wflw98",
        points=points,
        source="wflw",
        key=face_key(words[-1], number),
        where=where,
        licence=licence,
        group=", ".join(group),
    )


def _images(path: Path) -> Path:
    for folder in list(path.resolve().parents)[:4]:
        if (folder / "WFLW_images").is_dir():
            return folder / "WFLW_images"
    return path.parent
