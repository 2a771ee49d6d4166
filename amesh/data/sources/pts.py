"""Folders of `.pts` files beside their pictures: 300-W, LFPW, HELEN, AFW, Menpo.

Convention:
    - the files count pixels from 1, as in MATLAB: the centre of the top-left pixel is (1, 1), so
      half a pixel is subtracted
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from amesh.data.sources.coordinates import offset
from amesh.data.sources.files import beside, list_files, read_text
from amesh.data.sources.keys import only_face_key
from amesh.data.sources.labelled_face import LabelledFace, check_points
from amesh.data.sources.problems import Problems
from amesh.data.sources.source import ListSource, finish


def read_pts_folder(
    folder: Path, problems: Problems, scheme: str = "ibug68", licence: str | None = None
) -> ListSource:
    """Reads a folder and its sub-folders.

    Args:
        folder: Folder of `.pts` files, each with a picture of the same name.
        problems: Handles damaged files.
        scheme: Label scheme of the points.
        licence: Licence of the pictures.

    Raises:
        UserError: The folder is missing or has no usable file, or a file is damaged.
    """
    faces = []
    for path in list_files(folder, ".pts"):
        with problems.guard():
            points = read_pts(path)
            picture = beside(path)
            faces.append(
                LabelledFace(
                    picture=picture,
                    scheme=scheme,
                    points=points,
                    source=folder.name,
                    key=only_face_key(path.relative_to(folder).with_suffix("").as_posix()),
                    where=str(path),
                    licence=licence,
                    split=path.parent.name if path.parent != folder else None,
                )
            )
    return finish(str(folder), faces, problems)


def read_pts(path: Path) -> Float[np.ndarray, "k 2"]:
    """Reads the points of one file [picture px, corner coordinates].

    Raises:
        UserError: The file is damaged or not in this format.
    """
    head, _, rest = read_text(path).partition("{")
    count = None
    for line in head.splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() == "n_points" and value.strip().isdigit():
            count = int(value)
    # A truncated file has no closing brace, and fewer points than it states.
    rows = [line.split() for line in rest.partition("}")[0].splitlines() if line.strip()]
    return check_points(rows, str(path), count, (2,)) + np.float32(offset("one"))
