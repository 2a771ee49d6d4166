"""Encoded pictures to RGB, and the part of one around a face, as large as its crop needs.

Convention:
    - RGB, upright as a viewer shows it (EXIF applied), corner coordinates
    - 16-bit values are scaled to 8 bits; transparent pixels lie on white; an animation gives its
      first frame; colour profiles are ignored
    - a picture is shrunk only if the crop would shrink it by 2 or more, and by a whole factor: each
      pixel of the result is the mean of a square of pixels, as from a coarser camera. The one
      resampling happens later, on the device.
"""

import contextlib
import functools
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image, UnidentifiedImageError

from amesh.data.loading.jpeg_end import decode_without_end
from amesh.data.loading.limits import MAX_PIXELS
from amesh.errors import UserError

_log = logging.getLogger("amesh")

# Pillow would also hand a file to Ghostscript (EPS) or guess at formats without a signature (TGA).
# HEIF is there only where the user has registered a plugin for it; MPO is opened as JPEG.
_FORMATS = "JPEG PNG WEBP AVIF HEIF GIF BMP DIB TIFF PPM JPEG2000"
_SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations with width and height swapped


class Decoded(NamedTuple):
    """A picture.

    Attributes:
        pixels: RGB.
        size: Width and height of the whole picture [px].
        shrunk: By how much `pixels` are smaller.
    """

    pixels: UInt8[np.ndarray, "h w 3"]
    size: tuple[int, int]
    shrunk: int


def decode(
    source: bytes | Path, where: str, shrink: int = 1, max_pixels: int = MAX_PIXELS
) -> Decoded:
    """Decodes a picture.

    A JPEG whose end is missing, but none of its pixels, is decoded with a warning.

    Args:
        source: An encoded picture, or its file.
        where: Its name in messages.
        shrink: By how much it may be shrunk. JPEG files shrink while they are decoded, by 2, 4 or
            8; others do not.
        max_pixels: Larger pictures are refused.

    Raises:
        UserError: It is not a picture, is damaged or cut short, or has more than `max_pixels`
            pixels.
    """
    with warnings.catch_warnings(), _pillow_allows(max_pixels):
        # Pillow warns about size (checked here) and odd metadata: nothing a user could act on.
        warnings.simplefilter("ignore")
        try:
            return _decode(source, where, shrink, max_pixels)
        except UserError:
            raise
        except Image.DecompressionBombError:
            raise _too_large(where, "size in its header", max_pixels) from None
        except UnidentifiedImageError:
            heic = where.lower().endswith((".heic", ".heif"))
            hint = "; convert HEIC to JPEG first" if heic else ""
            raise UserError(f"{where}: not a picture that can be read{hint}") from None
        except MemoryError:
            raise UserError(f"{where}: not enough memory to decode this picture") from None
        except Exception as error:  # decoders raise a dozen kinds on damaged data
            data = source if isinstance(source, bytes) else source.read_bytes()
            found = decode_without_end(
                data,
                lambda whole: _decode(whole, where, shrink, max_pixels),
                lambda decoded: decoded.pixels,
            )
            if found is None:
                raise UserError(f"{where}: damaged or cut short ({_reason(error)})") from error
    _warn(f"{where}: the end of the file is missing, but all pixels are there")
    return found


def cut(
    pixels: UInt8[np.ndarray, "h w 3"], square: tuple[float, float, float], shrink: int
) -> tuple[UInt8[np.ndarray, "cut_h cut_w 3"], tuple[int, int]]:
    """The whole pixels of a square, shrunk by area means.

    Args:
        pixels: The picture.
        square: Centre x, centre y and side [px].
        shrink: Whole factor.

    Returns:
        The cut, at least a pixel; x and y of its corner in the picture [px].
    """
    height, width = pixels.shape[:2]
    x, y, side = square
    left = int(np.clip(np.floor(x - side / 2) - 1, 0, width - 1))
    top = int(np.clip(np.floor(y - side / 2) - 1, 0, height - 1))
    right = int(np.clip(np.ceil(x + side / 2) + 1, left + 1, width))
    bottom = int(np.clip(np.ceil(y + side / 2) + 1, top + 1, height))
    if shrink > 1:
        # Whole blocks only; where the picture ends, its last pixels repeat.
        right += -(right - left) % shrink
        bottom += -(bottom - top) % shrink
    part = pixels[top : min(bottom, height), left : min(right, width)]
    if shrink > 1:
        beyond = (max(bottom - height, 0), max(right - width, 0))
        if any(beyond):
            part = np.pad(part, ((0, beyond[0]), (0, beyond[1]), (0, 0)), mode="edge")
        small = ((right - left) // shrink, (bottom - top) // shrink)
        return cv2.resize(part, small, interpolation=cv2.INTER_AREA), (left, top)
    return np.ascontiguousarray(part), (left, top)


def _decode(source: bytes | Path, where: str, shrink: int, max_pixels: int) -> Decoded:
    """Decodes a picture; raises whatever Pillow raises."""
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    image: Image.Image
    with Image.open(file, formats=_available()) as image:
        size = image.size
        if size[0] * size[1] > max_pixels:
            raise _too_large(where, f"{size[0]} x {size[1]} px", max_pixels)
        factor = max(k for k in (1, 2, 4, 8) if k <= max(shrink, 1))
        if factor > 1 and image.format == "JPEG":
            image.draft("RGB", (max(size[0] // factor, 1), max(size[1] // factor, 1)))
        shrunk = round(size[0] / image.size[0])
        image.load()
        sideways = _orientation(image) in _SIDEWAYS
        return Decoded(upright_rgb(image, where), size[::-1] if sideways else size, shrunk)


@functools.cache
def _available() -> tuple[str, ...]:
    """Those of the formats that Pillow can read here."""
    Image.init()
    return tuple(name for name in _FORMATS.split() if name in Image.OPEN)


@functools.cache
def _warn(message: str) -> None:
    """Says something once in each process: training reads a picture in every epoch."""
    _log.warning("%s", message)


@contextlib.contextmanager
def _pillow_allows(max_pixels: int) -> Iterator[None]:
    """Raises the limit that Pillow has of its own, where this one is above it."""
    before = Image.MAX_IMAGE_PIXELS
    if max_pixels > MAX_PIXELS:
        Image.MAX_IMAGE_PIXELS = max_pixels
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _too_large(where: str, found: str, max_pixels: int) -> UserError:
    limit = f"{max_pixels / 1e6:g} million pixels"
    return UserError(f"{where}: too large ({found}; the limit is {limit}); shrink it first")


def _reason(error: Exception) -> str:
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return " ".join(text.split()) or type(error).__name__


def upright_rgb(image: Image.Image, where: str) -> UInt8[np.ndarray, "h w 3"]:
    """The pixels of an image that Pillow has decoded.

    Args:
        image: The image.
        where: Its name in messages.

    Raises:
        UserError: Its values have 32 bits, and it is not known how bright they are.
    """
    return _upright(_to_rgb(image, where), _orientation(image))


def _to_rgb(image: Image.Image, where: str) -> UInt8[np.ndarray, "h w 3"]:
    """The pixels in 8 bits, as they are stored."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in {"PPM", "PNG"}):
        grey = np.asarray(image).astype(np.float64).clip(0, 65535)
        grey = np.rint(grey / 257).astype(np.uint8)  # 65535 -> 255
        return np.repeat(grey[..., None], 3, axis=2)
    if image.mode in {"I", "F"}:
        raise UserError(f"{where}: 32-bit pixels have no fixed white; convert it to 8 or 16 bits")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation; 1, as it is stored, where there is none."""
    with contextlib.suppress(Exception):  # damaged EXIF does not make a picture unreadable
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    return 1


def _upright(
    pixels: UInt8[np.ndarray, "h w 3"], orientation: int
) -> UInt8[np.ndarray, "upright_h upright_w 3"]:
    """Swaps the axes, then flips each, as the EXIF orientation says."""
    if orientation in _SIDEWAYS:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
