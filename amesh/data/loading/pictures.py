"""Decodes pictures to RGB, and cuts out the part around a face at the resolution it needs.

Convention:
    - RGB, upright as a viewer shows it (EXIF applied), corner coordinates
    - 16-bit values are scaled to 8 bits; transparency is shown on white; of an animation, the first
      frame is used; colour profiles are ignored
    - a picture is shrunk only if the crop would shrink it by 2 or more, and by an integer factor:
      each pixel of the result is the mean of a square of pixels, as from a camera of lower
      resolution. The only interpolation is done later, on the device.
"""

import functools
import io
import logging
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageFile, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from amesh.data.loading.jpeg_end import decode_without_end
from amesh.data.loading.limits import MAX_PIXELS
from amesh.data.loading.pillow_settings import decoding
from amesh.data.loading.pixels import SIDEWAYS, decode_into_pages, orientation, upright_rgb
from amesh.errors import UserError, reason_of

_log = logging.getLogger("amesh")

# Without this list, Pillow would also pass files to Ghostscript (EPS) or guess formats without a
# signature (TGA). HEIF needs a plugin that the user has registered; MPO is opened as JPEG.
_FORMATS = "JPEG PNG WEBP AVIF HEIF GIF BMP DIB TIFF PPM JPEG2000"
# Factors by which pixels count in formats whose decoders need more than 4 bytes per pixel
# (measured: WebP 16, AVIF 9, JPEG 2000 14 to 20), so that the limit of pixels limits memory. For
# JPEG see `_weight`.
_WEIGHTS: dict[str | None, float] = {"WEBP": 3, "AVIF": 2, "JPEG2000": 4}
_BYTES = 5  # per pixel that counts once


class Decoded(NamedTuple):
    """A decoded picture.

    Attributes:
        pixels: RGB.
        size: Width and height of the original picture [px].
        shrunk: Factor by which `pixels` are smaller.
    """

    pixels: UInt8[np.ndarray, "h w 3"]
    size: tuple[int, int]
    shrunk: int


def decode(
    source: bytes | Path, where: str, shrink: int = 1, max_pixels: int = MAX_PIXELS
) -> Decoded:
    """Decodes a picture.

    A JPEG that lacks its end but no pixel is decoded with a warning.

    Args:
        source: An encoded picture, or its file.
        where: Its name in messages.
        shrink: Largest factor by which it may be shrunk. Only JPEG files are, by 2, 4 or 8.
        max_pixels: Larger pictures are refused.

    Raises:
        UserError: It is not a picture, is damaged or truncated, or has more than `max_pixels`
            pixels.
    """
    with decoding(max_pixels):
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
        except Exception as error:  # decoders raise many types of errors on damaged data
            data = source if isinstance(source, bytes) else source.read_bytes()
            found = decode_without_end(
                data,
                lambda whole: _decode(whole, where, shrink, max_pixels),
                lambda decoded: decoded.pixels,
            )
            if found is None:
                raise UserError(f"{where}: damaged or cut short ({reason_of(error)})") from error
    _warn(f"{where}: the end of the file is missing, but all pixels are there")
    return found


def decoding_cost(file: Path, max_pixels: int = MAX_PIXELS) -> int:
    """How much memory decoding a picture takes, in pixels that count once [px].

    Only its header is read. A file that `decode` would refuse may cost nothing.
    """
    with decoding(max_pixels):
        try:
            with Image.open(file, formats=_available()) as image:
                return round(image.size[0] * image.size[1] * _weight(image))
        except Exception:  # as for `decode`
            return 0


def cut(
    pixels: UInt8[np.ndarray, "h w 3"], square: tuple[float, float, float], shrink: int
) -> tuple[UInt8[np.ndarray, "cut_h cut_w 3"], tuple[int, int]]:
    """Cuts out a square, on whole pixels, and shrinks it by area means.

    Args:
        pixels: The picture.
        square: Centre x, centre y and side [px].
        shrink: Integer factor.

    Returns:
        The cut-out, at least one pixel; x and y of its corner in the picture [px].
    """
    height, width = pixels.shape[:2]
    x, y, side = square
    left = int(np.clip(np.floor(x - side / 2) - 1, 0, width - 1))
    top = int(np.clip(np.floor(y - side / 2) - 1, 0, height - 1))
    right = int(np.clip(np.ceil(x + side / 2) + 1, left + 1, width))
    bottom = int(np.clip(np.ceil(y + side / 2) + 1, top + 1, height))
    if shrink > 1:
        # Use whole blocks; beyond the picture, its last pixels are repeated.
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
    """Decodes a picture; lets Pillow's exceptions pass."""
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    image: ImageFile.ImageFile
    with Image.open(file, formats=_available()) as image:
        size = image.size
        weight = _weight(image)
        if size[0] * size[1] * weight > max_pixels:
            found = f"{size[0]} x {size[1]} px"
            if weight > 1:
                kind = "a progressive JPEG" if isinstance(image, JpegImageFile) else image.format
                found += f", which count {weight:g} times in {kind}"
            raise _too_large(where, found, max_pixels)
        factor = max(k for k in (1, 2, 4, 8) if k <= max(shrink, 1))
        if factor > 1 and image.format == "JPEG":
            image.draft("RGB", (max(size[0] // factor, 1), max(size[1] // factor, 1)))
        shrunk = round(size[0] / image.size[0])
        free = decode_into_pages(image)
        sideways = orientation(image) in SIDEWAYS
        return Decoded(upright_rgb(image, where, free), size[::-1] if sideways else size, shrunk)


def _weight(image: ImageFile.ImageFile) -> float:
    """Returns how often the pixels of an opened picture count.

    Of a progressive JPEG, the decoder keeps the coefficients of all components, 2 bytes each, until
    it has written the last pixel.
    """
    if not isinstance(image, JpegImageFile) or "progressive" not in image.info:
        return _WEIGHTS.get(image.format, 1)
    sizes = [across * down for _, across, down, _ in image.layer]
    coefficients = 2 * sum(sizes) / max(sizes)
    pixels = 1 if image.mode == "L" else 4
    return max(1, (coefficients + pixels) / _BYTES)


@functools.cache
def _available() -> tuple[str, ...]:
    """Returns the formats that the installed Pillow can read."""
    Image.init()
    return tuple(name for name in _FORMATS.split() if name in Image.OPEN)


@functools.cache
def _warn(message: str) -> None:
    """Logs a warning once per process, since training reads each picture in every epoch."""
    _log.warning("%s", message)


def _too_large(where: str, found: str, max_pixels: int) -> UserError:
    limit = f"{max_pixels / 1e6:g} million pixels"
    return UserError(f"{where}: too large ({found}; the limit is {limit}); shrink it first")
