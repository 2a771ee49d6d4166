"""The picture as it goes into a shard: the file's own bytes, or a part around the face.

Convention:
    - labels are made on the pixels that training decodes from these bytes: same orientation, same
      colours. A file that training cannot read (16 bits, JPEG 2000) is encoded again.
    - what is encoded again is a JPEG of quality 95 with full colour resolution: its error is far
      below what moves a landmark, at a fifth of the size of a PNG
"""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from amesh.data.pictures import decode
from amesh.errors import UserError
from amesh.pipeline.images import read_image

_QUALITY = 95


@dataclass(frozen=True, eq=False)
class Opened:
    """A decoded picture.

    Attributes:
        pixels: RGB, upright.
        data: The file's content, where training reads the same pixels from it.
    """

    pixels: UInt8[np.ndarray, "h w 3"]
    data: bytes | None = None


def open_picture(path: Path) -> Opened:
    """Reads a picture file.

    Raises:
        UserError: It is missing, no picture, damaged or too large.
    """
    if path.is_file():
        try:
            data = path.read_bytes()
            return Opened(decode(data, str(path))[0], data)
        except (OSError, UserError):
            pass  # the other reader knows more kinds of pictures, and says better what is wrong
    return Opened(read_image(path))


def store(
    picture: Opened, landmarks: Float32[np.ndarray, "n 3"], cut: float
) -> tuple[bytes, tuple[int, int]]:
    """What to put into the shard for one face.

    Args:
        picture: The whole.
        landmarks: Of the face [picture px].
        cut: A picture whose longer side is above so many sizes of the face is cut to a square of
            that side around it; 0 never cuts.

    Returns:
        An encoded picture; x and y of its corner in the whole picture [px].
    """
    height, width = picture.pixels.shape[:2]
    low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
    side = cut * float((high - low).max())
    if not cut or max(height, width) <= side:
        data = picture.data if picture.data is not None else encode(picture.pixels)
        return data, (0, 0)
    x, y = ((low + high) / 2).tolist()
    left, right = _span(x, side, width)
    top, bottom = _span(y, side, height)
    return encode(picture.pixels[top:bottom, left:right]), (left, top)


def encode(pixels: UInt8[np.ndarray, "h w 3"]) -> bytes:
    """A JPEG file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=_QUALITY, subsampling=0)
    return file.getvalue()


def _span(centre: float, side: float, length: int) -> tuple[int, int]:
    """First and last pixel column, or row, of the square, inside the picture."""
    first = int(np.clip(np.floor(centre - side / 2), 0, length - 1))
    return first, int(np.clip(np.ceil(centre + side / 2), first + 1, length))
