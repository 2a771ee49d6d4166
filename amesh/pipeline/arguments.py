"""What callers pass: pictures, boxes, regions of interest and numbers in every usual form.

Each function returns the one form that the pipeline works with, or raises a `UserError` that says
what to give instead.
"""

import math
import os
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from jaxtyping import Float64, UInt8
from PIL import Image

from amesh.data.loading.pixels import upright_rgb
from amesh.errors import UserError
from amesh.geometry import roi
from amesh.geometry.arrays import Array
from amesh.geometry.roi import Roi
from amesh.pipeline.images import read_image

ImageLike = np.ndarray | str | os.PathLike[str] | Image.Image
BoxesLike = Array | Sequence[Any]

_FAR = 2.0**31  # [px]
_IMAGE = "expected uint8 (height, width, 3), RGB, as read_image returns it"
_BOXES = "expected left, top, right, bottom [px] for each face"


def as_image(value: object) -> UInt8[np.ndarray, "h w 3"]:
    """A picture as an RGB array.

    Args:
        value: An array, the path of a file, or a PIL image.

    Raises:
        UserError: It is none of these, or the file cannot be read.
    """
    if isinstance(value, np.ndarray):
        return _checked(value)
    if isinstance(value, str | os.PathLike):
        return read_image(value)
    if isinstance(value, Image.Image):
        return _checked(_of_pil(value))
    if value is None:
        raise UserError(
            "the picture is None (cv2.imread returns that if it cannot read a file); "
            "give the path, an RGB array or a PIL image"
        )
    if isinstance(value, list | tuple):
        raise UserError(
            f"expected one picture, found a {type(value).__name__} of {len(value)}; "
            "only FaceMesh takes a list, and each of its items is one picture"
        )
    raise UserError(
        f"a picture cannot be a {type(value).__name__}; give a path, a PIL image, or a NumPy array"
    )


def _of_pil(image: Image.Image) -> UInt8[np.ndarray, "h w 3"]:
    """Its pixels; an image opened from a file is only read now."""
    if 0 in image.size:
        raise UserError(f"the PIL image is empty: {image.width} x {image.height} px")
    try:
        return upright_rgb(image, "the PIL image")
    except UserError:
        raise
    except Exception as error:  # decoders raise many types of errors on damaged data
        raise UserError(f"the PIL image cannot be read ({_first_line(error)})") from error


def as_rois(value: object) -> Roi:
    """Regions of interest as one batch of float64 NumPy arrays.

    Args:
        value: A `Roi`, whose fields may be arrays, tensors or plain numbers, or a list of them.

    Raises:
        UserError: It is none, its fields do not belong together, or a region is empty or not
            finite.
    """
    if isinstance(value, list | tuple) and not isinstance(value, Roi):
        parts = [as_rois(each) for each in value]
        if not parts:
            return Roi(np.zeros((0, 2)), np.zeros(0), np.zeros(0))
        return Roi.joined(parts)
    if not isinstance(value, Roi):
        raise UserError(
            f"rois is a {type(value).__name__}; give an amesh.Roi, such as Roi.at(x, y, size)"
        )
    try:
        centre, size, angle = map(_numbers, value)
        centre, size, angle = centre.reshape(-1, 2), size.reshape(-1), angle.reshape(-1)
    except (TypeError, ValueError) as error:
        raise UserError(f"a Roi holds no numbers ({_first_line(error)}); see Roi.at") from None
    if not len(centre) == len(size) == len(angle):
        raise UserError(
            f"a Roi has {len(centre)} centres, {len(size)} sizes and {len(angle)} angles; "
            "give one of each for every face"
        )
    # False for NaN, too. Beyond the limit, the affines of crops overflow.
    good = (abs(centre) < _FAR).all(1) & (size > 0) & (size < _FAR) & np.isfinite(angle)
    if not good.all():
        number = int(np.flatnonzero(~good)[0])
        raise UserError(
            f"region of interest {number} has centre {centre[number].tolist()}, size "
            f"{size[number]:g}, angle {angle[number]:g}; expected finite numbers below 2^31, and a "
            "size above 0"
        )
    return Roi(centre, size, angle)


def rois_of_boxes(value: object, rule: roi.Rule = roi.WHOLE_FACE) -> Roi:
    """Regions of interest around boxes of upright faces.

    Args:
        value: Left, top, right, bottom [px] for each face: an array, tensor or list (n, 4), or one
            box (4,). A fifth column, such as a detector's score, is ignored.
        rule: How the region follows from the box.

    Raises:
        UserError: These are not numbers of that shape, or a box has no area.
    """
    boxes = _as_boxes(value)
    level = np.broadcast_to([[0.0, 0.0], [1.0, 0.0]], (len(boxes), 2, 2))
    return roi.from_detection(boxes, level, rule)


def as_count(value: object, name: str, more: str = "") -> int:
    """A whole number above 0, one of NumPy's for example.

    Args:
        value: The number.
        name: Of the argument, for the message.
        more: What the message adds to the numbers that are allowed.

    Raises:
        UserError: It is no such number.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise UserError(f"{name} is {value!r}; expected 1, 2, 3, ...{more}")
    return int(value)


def as_score(value: object, name: str) -> float:
    """A threshold for scores.

    Args:
        value: The number.
        name: Of the argument, for the message.

    Raises:
        UserError: It is not a number from 0 to below 1.
    """
    score = finite(value)
    if not 0 <= score < 1:  # false for NaN
        raise UserError(f"{name} is {value!r}; expected a probability below 1")
    return score


def as_time(value: object) -> float:
    """The time of a frame [s].

    Raises:
        UserError: It is not a finite number.
    """
    time = finite(value)
    if math.isnan(time):
        raise UserError(f"the time of a frame is {value!r}; expected seconds")
    return time


def finite(value: object) -> float:
    """A real number of any type, one of NumPy's for example; NaN if it is none, or not finite."""
    try:
        number = float(value) if isinstance(value, Real) else math.nan
    except OverflowError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def _numbers(value: Any) -> Float64[np.ndarray, "..."]:
    """What holds numbers as an array, a tensor on any device included, without importing PyTorch.

    Raises:
        TypeError: It holds something else, text for example.
        ValueError: Its rows have different lengths.
    """
    array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"it holds {array.dtype}")
    return array.astype(np.float64)


def _as_boxes(value: object) -> Float64[np.ndarray, "n 4"]:
    try:
        boxes = _numbers(value)
    except (TypeError, ValueError):
        raise UserError(f"boxes are not numbers in rows of equal length; {_BOXES}") from None
    if boxes.ndim == 1 and boxes.size in (4, 5):
        boxes = boxes[None]
    if not boxes.size:
        return np.zeros((0, 4))
    if boxes.ndim != 2 or boxes.shape[1] not in (4, 5):
        raise UserError(f"boxes have the shape {boxes.shape}, not (n, 4); {_BOXES}")
    boxes = boxes[:, :4]
    left, top, right, bottom = boxes.T
    bad = np.flatnonzero(~(np.isfinite(boxes).all(axis=1) & (left < right) & (top < bottom)))
    if len(bad):
        found = ", ".join(f"{number:g}" for number in boxes[bad[0]])
        raise UserError(
            f"box {bad[0]} is ({found}); {_BOXES}, with right > left and bottom > top "
            "(not width and height)"
        )
    return boxes


def _checked(image: np.ndarray) -> UInt8[np.ndarray, "h w 3"]:
    """Shapes are not checked outside of tests, and a float picture would just show no face."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise UserError(f"a picture is {image.dtype} {image.shape}; {_IMAGE}")
    return image


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
