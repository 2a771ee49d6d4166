"""The pictures that effects take."""

from typing import Any

import numpy as np
from jaxtyping import UInt8

from amesh.errors import UserError


def as_picture(image: Any, *channels: int) -> UInt8[np.ndarray, "h w c"]:
    """A picture, checked.

    Args:
        image: An array.
        channels: Allowed numbers of channels; 3 if none is given.

    Raises:
        UserError: It is no array of uint8, or has other channels.
    """
    shape, dtype = getattr(image, "shape", None), getattr(image, "dtype", type(image).__name__)
    allowed = channels or (3,)
    if dtype != np.uint8 or shape is None or len(shape) != 3 or shape[2] not in allowed:
        wanted = " or ".join(f"(height, width, {number})" for number in allowed)
        hint = "" if channels else ", RGB: amesh.read_image converts grey and transparent files"
        found = dtype if shape is None else f"{dtype} {tuple(shape)}"
        raise UserError(f"a picture is {found}; expected uint8 {wanted}{hint}")
    return np.asarray(image)
