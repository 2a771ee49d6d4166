"""Reads the file of a picture into an RGB array.

Convention
    Arrays are (h, w, 3), RGB, upright as a viewer shows them.
"""

import os
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from amesh.data.loading.limits import MAX_PIXELS
from amesh.data.loading.pictures import decode, decoding_cost
from amesh.errors import UserError
from amesh.files import check_readable


def read_image(
    path: str | os.PathLike[str], max_pixels: int = MAX_PIXELS
) -> UInt8[np.ndarray, "h w 3"]:
    """Reads a picture as a viewer would show it.

    The EXIF orientation is applied; 16-bit values are scaled to 8 bits; transparent pixels lie on
    white; an animation gives its first frame. Colour profiles are ignored.

    Args:
        path: The file.
        max_pixels: Larger pictures are refused: a file of 34 bytes may hold 178 million pixels.

    Examples:
        >>> read_image("photo.jpg").shape
        (512, 512, 3)

    Raises:
        UserError: The file is missing, is not a picture, is cut short, or has more than
            `max_pixels` pixels.
    """
    path = Path(path)
    check_readable(path)
    return decode(path, str(path), max_pixels=max_pixels).pixels


def reading_cost(path: str | os.PathLike[str], max_pixels: int = MAX_PIXELS) -> int:
    """How much memory `read_image` takes, in pixels; see `decoding_cost`."""
    path = Path(path)
    try:
        check_readable(path)
    except UserError:
        return 0
    return decoding_cost(path, max_pixels)
