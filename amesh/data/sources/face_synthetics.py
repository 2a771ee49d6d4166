"""FaceSynthetics: `000000.png` with `000000_ldmks.txt`, 68 points and two pupils, one a line.

Convention:
    - the files are taken to count from the centre of the top-left pixel at (0, 0)
"""

from pathlib import Path

import numpy as np

from amesh.data.sources.files import OFFSETS, Coordinates, beside, list_files, read_text
from amesh.data.sources.records import ListSource, Problems, Record, check_points, finish

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
        folder: Pictures with their landmark files.
        problems: What to do about damaged files.
        coordinates: What the numbers count from.
        licence: Terms of the pictures.

    Raises:
        UserError: No such folder, nothing usable in it, or the first damaged file.
    """
    records = []
    for path in list_files(folder, _SUFFIX):
        with problems.guard():
            rows = [line.split() for line in read_text(path).splitlines() if line.strip()]
            points = check_points(rows, str(path), _POINTS, (2,))
            stem = path.name.removesuffix(_SUFFIX)
            records.append(
                Record(
                    picture=beside(path, stem),
                    scheme="face_synthetics70",
                    points=points + np.float32(OFFSETS[coordinates]),
                    source="face_synthetics",
                    key=(path.relative_to(folder).parent / stem).as_posix(),
                    where=str(path),
                    licence=licence,
                )
            )
    return finish(str(folder), records, problems)
