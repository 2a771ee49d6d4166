"""Converts the pixels that Pillow decoded to upright RGB, band by band to save memory.

Pillow uses 4 bytes per pixel, the result 3. `decode_into_pages` makes Pillow decode into memory
that is freed band by band while the result grows, so that two copies of a large picture never
coexist.
"""

import contextlib
import mmap
from collections.abc import Callable

import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image, ImageFile

from amesh.errors import UserError

SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations with width and height swapped

_BAND = 1 << 22  # [px]
_LARGE = 1 << 26  # [bytes] memory of smaller pictures is not freed early
_CAN_FREE = hasattr(mmap, "MADV_DONTNEED")  # not on Windows
_SMALL = ("1", "L", "P")  # 1 byte per pixel: little to free


def decode_into_pages(image: ImageFile.ImageFile) -> Callable[[int], None]:
    """Loads a picture and returns a function that frees its memory above a row.

    Pillow's decoders write into `image.im` if it exists. If a decoder allocates its own memory, or
    the system cannot free single pages, nothing is freed before the image itself.
    """
    width, height = image.size
    stride = width * (2 if image.mode.startswith("I;16") else 4)
    turned = image.format == "TIFF" and orientation(image) != 1  # Pillow rotates those itself
    if stride * height < _LARGE or image.mode in _SMALL or turned or not _CAN_FREE:
        image.load()
        return lambda _: None
    pages = mmap.mmap(-1, stride * height, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    args = (image.mode, 0, 1)
    ours = Image.core.map_buffer(pages, image.size, "raw", 0, args)  # type: ignore[attr-defined]
    image.im = ours
    image.load()
    freed = 0

    def free(row: int) -> None:
        nonlocal freed
        end = row * stride // mmap.PAGESIZE * mmap.PAGESIZE
        if image.im is ours and end > freed:
            pages.madvise(mmap.MADV_DONTNEED, freed, end - freed)
            freed = end

    return free


def upright_rgb(
    image: Image.Image, where: str, free: Callable[[int], None] = lambda _: None
) -> UInt8[np.ndarray, "h w 3"]:
    """Returns the upright RGB pixels of a Pillow image.

    Args:
        image: The image.
        where: Its name in messages.
        free: Called with a row when all rows above it have been read.

    Raises:
        UserError: Its values have 32 bits, and their value of white is unknown.
    """
    known = image.mode != "I" or getattr(image, "format", None) in {"PPM", "PNG"}  # 16 bits
    if image.mode == "F" or not known:
        raise UserError(
            f"{where}: the brightness of 32-bit pixels is not defined; convert it to 8 or 16 bits"
        )
    width, height = image.size
    turn = orientation(image)
    sideways = turn in SIDEWAYS
    pixels = _small_pages(width, height) if sideways else np.empty((height, width, 3), np.uint8)
    stored = _as_stored(pixels, turn)
    rows = max(_BAND // width, 1)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        band = image if rows >= height else image.crop((0, top, width, bottom))
        stored[top:bottom] = _to_rgb(band)
        free(bottom)
    return pixels


def orientation(image: Image.Image) -> int:
    """Returns the EXIF orientation; 1 (as stored) if there is none."""
    with contextlib.suppress(Exception):  # a picture with damaged EXIF is still readable
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    return 1


def _small_pages(height: int, width: int) -> UInt8[np.ndarray, "h w 3"]:
    """Returns memory for a picture that is turned sideways while it is read.

    A band of stored rows fills a few columns, so the first one already writes into every row. Of
    the pages of 2 MB that NumPy asks the system for, it would take all; of small ones, each band
    takes its own.
    """
    size = height * width * 3
    if size < _LARGE or not _CAN_FREE:
        return np.empty((height, width, 3), np.uint8)
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError, AttributeError):  # a system without large pages
        pages.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(pages, np.uint8).reshape(height, width, 3)


def _to_rgb(image: Image.Image) -> UInt8[np.ndarray, "h w 3"]:
    """Returns the pixels in 8 bits, in the stored orientation."""
    if image.mode.startswith("I"):  # 16 bits
        grey = np.asarray(image).clip(0, 65535).astype(np.uint32)
        small = ((grey + 128) // 257).astype(np.uint8)  # rounded: 65535 -> 255
        return np.repeat(small[..., None], 3, axis=2)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _as_stored(
    upright: UInt8[np.ndarray, "upright_h upright_w 3"], turn: int
) -> UInt8[np.ndarray, "h w 3"]:
    """Returns a view of an upright picture in the orientation of the file.

    EXIF swaps the axes, then flips each; this is the inverse.
    """
    if turn in (3, 4, 7, 8):
        upright = upright[::-1]
    if turn in (2, 3, 6, 7):
        upright = upright[:, ::-1]
    return upright.swapaxes(0, 1) if turn in SIDEWAYS else upright
