"""Contact sheets: faces, each with its landmarks beside it."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from amesh.errors import UserError
from amesh.files import write_atomically

_SEEN, _HIDDEN = (80, 255, 140), (255, 70, 60)


class Tile(NamedTuple):
    """A face on a sheet.

    Attributes:
        picture: RGB.
        landmarks: (n, 3) [px].
        visibility: (n,) 1 for a visible landmark, 0 for a hidden one, which is drawn red.
    """

    picture: UInt8[np.ndarray, "h w 3"]
    landmarks: Float[np.ndarray, "n 3"]
    visibility: Float[np.ndarray, " n"]


def check_sheet(path: Path) -> None:
    """Checks the name of a sheet.

    Raises:
        UserError: It does not end in .png.
    """
    if path.suffix.lower() != ".png":
        raise UserError(f"{path}: the sheet is a PNG file; give a name that ends in .png")


def write_sheet(path: Path, faces: Iterable[Tile], side: int) -> None:
    """Draws each face twice, once with its landmarks.

    Args:
        path: A PNG file.
        faces: The faces, in square pictures.
        side: Side of each on the sheet [px].
    """
    tiles = [_drawn(face, side) for face in faces]
    columns = max(1, round((len(tiles) / 2) ** 0.5))
    rows = [tiles[i : i + columns] for i in range(0, len(tiles), columns)]
    rows[-1] += [np.full_like(tiles[0], 24)] * (columns - len(rows[-1]))
    sheet = np.concatenate([np.concatenate(row, 1) for row in rows])
    write_atomically(path, cv2.imencode(".png", sheet[..., ::-1])[1].tobytes())


def _drawn(face: Tile, side: int) -> UInt8[np.ndarray, "h w 3"]:
    scale = side / len(face.picture)
    way = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    large = cv2.resize(face.picture, (side, side), interpolation=way)
    drawn = large.copy()
    for (x, y, _), seen in zip(face.landmarks, face.visibility, strict=True):
        at = (round(float(x) * scale * 16 - 8), round(float(y) * scale * 16 - 8))  # 4 bits
        cv2.circle(drawn, at, 20, _SEEN if seen else _HIDDEN, -1, cv2.LINE_AA, 4)
    return np.concatenate([large, drawn], 1)
