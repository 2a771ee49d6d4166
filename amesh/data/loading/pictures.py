"""Pictures for training: encoded bytes to the part around a face, as large as the crop needs.

Convention:
    - RGB, upright as a viewer shows it (EXIF applied), corner coordinates
    - a picture is shrunk only where the crop would shrink it by 2 or more, by a whole factor:
      each pixel of the result is the mean of a square of pixels, as of a coarser camera. The one
      resample happens later, on the device.
"""

import contextlib
import io
import warnings

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image, UnidentifiedImageError

from amesh.errors import UserError

# Of data sets and shards: what other programs read, too. MPO is opened as JPEG.
_FORMATS = "JPEG PNG WEBP BMP TIFF GIF PPM AVIF"
MAX_PIXELS = 178_000_000  # Pillow refuses the header of a picture a little larger than this
_SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations with width and height swapped


def decode(
    data: bytes, where: str, shrink: int = 1
) -> tuple[UInt8[np.ndarray, "h w 3"], tuple[int, int], int]:
    """Decodes a picture.

    Args:
        data: An encoded file.
        where: Names it in messages.
        shrink: By how much it may be shrunk. JPEG files shrink while they are decoded, by 2, 4
            or 8; others do not.

    Returns:
        The pixels; width and height of the whole picture [px]; by how much it was shrunk.

    Raises:
        UserError: No picture, damaged, cut short, or too large.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd metadata: nothing a user could act on
        try:
            image: Image.Image = Image.open(io.BytesIO(data), formats=available(_FORMATS))
            if image.width * image.height > MAX_PIXELS:
                raise UserError(f"{where}: too large ({image.width} x {image.height} px)")
            size = image.size
            factor = max(k for k in (1, 2, 4, 8) if k <= max(shrink, 1))
            if factor > 1 and image.format == "JPEG":
                image.draft("RGB", (max(size[0] // factor, 1), max(size[1] // factor, 1)))
            taken = round(size[0] / image.size[0])
            image.load()
            if image.mode.startswith("I") or image.mode == "F":
                raise UserError(
                    f"{where}: pixels of more than 8 bits ({image.mode}); convert the picture first"
                )
            turn = orientation(image)
            if turn in _SIDEWAYS:
                size = size[::-1]
            return upright(to_rgb(image, where), turn), size, taken
        except UserError:
            raise
        except UnidentifiedImageError:
            raise UserError(f"{where}: not a picture that can be read (unknown format)") from None
        except Exception as error:  # decoders raise a dozen kinds on damaged data
            reason = " ".join(str(error).split()) or type(error).__name__
            raise UserError(f"{where}: not a picture that can be read ({reason})") from error


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


def available(formats: str) -> list[str]:
    """Those of the formats, as Pillow names them, that it can read here."""
    Image.init()
    return [name for name in formats.split() if name in Image.OPEN]


def to_rgb(image: Image.Image, where: str) -> UInt8[np.ndarray, "h w 3"]:
    """The pixels in 8 bits, as they are stored: 16 bits are scaled, what is transparent is white.

    Args:
        image: Already decoded.
        where: Names it in messages.

    Raises:
        UserError: Values of 32 bits, of which nobody knows how bright they are.
    """
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


def orientation(image: Image.Image) -> int:
    """The EXIF orientation; 1, as it is stored, where there is none."""
    with contextlib.suppress(Exception):  # damaged EXIF does not make a picture unreadable
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    return 1


def upright(
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
