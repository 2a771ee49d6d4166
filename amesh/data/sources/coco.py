"""COCO keypoints: one JSON file with `images` and `annotations`.

The faces of COCO-WholeBody, LaPa, WFLW, 300-W and others are distributed in this format.

Convention:
    - coordinates are pixel indices: the centre of the top-left pixel is (0, 0)
    - a keypoint is x, y, v; v is 0 for unlabelled, 1 for labelled but hidden, 2 for visible
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from amesh.data.sources.coordinates import Coordinates, offset
from amesh.data.sources.files import read_text
from amesh.data.sources.keys import face_key
from amesh.data.sources.labelled_face import LabelledFace, check_points
from amesh.data.sources.problems import Problems
from amesh.data.sources.source import ListSource, finish
from amesh.errors import UserError

# COCO-WholeBody has a separate key for the points of the face.
_KEYS = ("face_kpts", "keypoints")
_SCHEMES = {68: "ibug68", 70: "face_synthetics70", 98: "wflw98", 106: "lapa106", 478: "face478"}


def read_coco(
    path: Path,
    problems: Problems,
    images: Path | None = None,
    scheme: str | None = None,
    coordinates: Coordinates = "index",
    licence: str | None = None,
) -> ListSource:
    """Reads an annotation file.

    Args:
        path: The JSON file.
        problems: Handles invalid annotations.
        images: Folder that the pictures' names are relative to; by default, that of the file.
        scheme: Label scheme of the points; by default, inferred from their number.
        coordinates: Convention of the coordinates.
        licence: Licence of pictures for which the file states none.

    Raises:
        UserError: The file is missing, not in COCO's format or has no usable annotation, or an
            annotation is invalid.
    """
    try:
        content = json.loads(read_text(path))
        pictures = {entry["id"]: entry for entry in content["images"]}
        licences = {entry["id"]: entry["name"] for entry in content.get("licenses", [])}
        annotations = content["annotations"]
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: not JSON ({error.msg}, line {error.lineno})") from None
    except (KeyError, TypeError) as error:
        raise UserError(f"{path}: not a COCO annotation file (no {error})") from None
    folder = images or path.parent
    faces = []
    for number, entry in enumerate(annotations):
        with problems.guard():
            identity = entry.get("id", number)
            where = f"{path}, annotation {identity}"
            picture = pictures.get(entry.get("image_id"))
            if picture is None:
                raise UserError(f"{where}: its picture {entry.get('image_id')!r} is not listed")
            name = str(picture["file_name"])
            terms = licences.get(picture.get("license"), licence)
            found = _labels(entry, where, scheme, coordinates)
            if found is None:
                continue  # a person whose face was not labelled
            points, seen, named = found
            faces.append(
                LabelledFace(
                    picture=folder / name,
                    scheme=named,
                    points=points,
                    source=path.stem,
                    key=face_key(name, identity if isinstance(identity, int) else number),
                    where=where,
                    licence=terms,
                    weight_xy=(seen > 0).astype(np.float32),
                    visibility=(seen != 1).astype(np.float32),
                )
            )
    return finish(str(path), faces, problems)


def _labels(
    entry: dict[str, Any], where: str, scheme: str | None, coordinates: Coordinates
) -> tuple[np.ndarray, np.ndarray, str] | None:
    """Returns the points, their v and the scheme; None if nothing is labelled."""
    values = next((entry[key] for key in _KEYS if entry.get(key)), None)
    if values is None:
        return None
    if not isinstance(values, list) or len(values) % 3:
        raise UserError(f"{where}: keypoints must be a list of x, y, v for each point")
    rows = [values[i : i + 3] for i in range(0, len(values), 3)]
    table = check_points(rows, where, dimensions=(3,))
    named = scheme or _SCHEMES.get(len(table))
    if named is None:
        raise UserError(f"{where}: {len(table)} points; state their `scheme`")
    if not (table[:, 2] > 0).any():
        return None
    return table[:, :2] + np.float32(offset(coordinates)), table[:, 2], named
