"""FaceSynthetics: `000000.png` with `000000_ldmks.txt`, 68 points and two pupils, one per line.

Convention:
    - coordinates are assumed to be pixel indices: the centre of the top-left pixel is (0, 0)
"""

from pathlib import Path

import numpy as np

from amesh.data.sources.coordinates import Coordinates, offset
from amesh.data.sources.files import beside, list_files, read_text
from amesh.data.sources.keys import only_face_key
from amesh.data.sources.labelled_face import LabelledFace, check_points
from amesh.data.sources.problems import Problems
from amesh.data.sources.source import ListSource, finish

_SUFFIX = "_ldmks.txt"
_POINTS = 70


def read_face_synthetics(
    folder: Path,
    problems: Problems,
    coordinates: Coordinates = "index",
    licence: str | None = "research-only",
) -> ListSource:
    """Reads a folder and its sub-folders.

    Args:
        folder: Folder of pictures with their landmark files.
        problems: Handles damaged files.
        coordinates: Convention of the coordinates.
        licence: Licence of the pictures.

    Raises:
        UserError: The folder is missing or has no usable file, or a file is damaged.
    """
    faces = []
    for path in list_files(folder, _SUFFIX):
        with problems.guard():
            rows = [line.split() for line in read_text(path).splitlines() if line.strip()]
            points = check_points(rows, str(path), _POINTS, (2,))
            stem = path.name.removesuffix(_SUFFIX)
            faces.append(
                LabelledFace(
                    picture=beside(path, stem),
                    scheme="face_synthetics70",
                    points=points + np.float32(offset(coordinates)),
                    source="face_synthetics",
                    key=only_face_key((path.relative_to(folder).parent / stem).as_posix()),
                    where=str(path),
                    licence=licence,
                )
            )
    return finish(str(folder), faces, problems)
