"""Folders of `.pts` files beside their pictures: 300-W, LFPW, HELEN, AFW, Menpo.

Convention:
    - the files count pixels from 1, as MATLAB does: the centre of the top-left pixel is (1, 1),
      so half a pixel is taken off
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from amesh.data.sources.files import beside, list_files, read_text
from amesh.data.sources.records import ListSource, Problems, Record, check_points, finish

_OFFSET = -0.5


def read_pts_folder(
    folder: Path, problems: Problems, scheme: str = "ibug68", licence: str | None = None
) -> ListSource:
    """Reads a folder and its sub-folders.

    Args:
        folder: `.pts` files, each with a picture of the same name.
        problems: What to do about damaged files.
        scheme: Of the points.
        licence: Terms of the pictures.

    Raises:
        UserError: No such folder, nothing usable in it, or the first damaged file.
    """
    records = []
    for path in list_files(folder, ".pts"):
        with problems.guard():
            points = read_pts(path)
            picture = beside(path)
            records.append(
                Record(
                    picture=picture,
                    scheme=scheme,
                    points=points,
                    source=folder.name,
                    key=path.relative_to(folder).with_suffix("").as_posix(),
                    where=str(path),
                    licence=licence,
                    split=path.parent.name if path.parent != folder else None,
                )
            )
    return finish(str(folder), records, problems)


def read_pts(path: Path) -> Float[np.ndarray, "k 2"]:
    """The points of one file [picture px, corner coordinates].

    Raises:
        UserError: The file is not as the format says.
    """
    head, _, rest = read_text(path).partition("{")
    count = None
    for line in head.splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() == "n_points" and value.strip().isdigit():
            count = int(value)
    # A file cut short has no closing brace, and fewer points than it says.
    rows = [line.split() for line in rest.partition("}")[0].splitlines() if line.strip()]
    return check_points(rows, str(path), count, (2,)) + np.float32(_OFFSET)
