"""The landmarks that effects take."""

from typing import Any

import numpy as np
from jaxtyping import Float64

from amesh.errors import UserError

_POINTS = 478


def as_numbers(landmarks: Any) -> Float64[np.ndarray, "..."]:
    """Landmarks in an array of any shape: of an array, nested lists, or a tensor on the CPU.

    Raises:
        UserError: They are not real numbers, or the lists are not equally long.
    """
    try:
        array = np.asarray(landmarks)
    except (ValueError, TypeError, RuntimeError) as error:  # ragged; on a GPU; with a gradient
        reason = str(error).splitlines()[0]
        raise UserError(f"landmarks cannot be made an array ({reason})") from None
    if array.dtype.kind not in "fiu":
        raise UserError(
            f"landmarks are {type(landmarks).__name__} of {array.dtype}, expected numbers; those "
            "of a face are its `landmarks`"
        )
    return array.astype(np.float64)


def as_batch(landmarks: Any) -> tuple[Float64[np.ndarray, "b 478 d"], bool]:
    """Landmarks as a batch, and whether they were those of one face.

    Raises:
        UserError: They are not the landmarks of `face478`.
    """
    array = as_numbers(landmarks)
    if array.ndim not in (2, 3) or array.shape[-2] != _POINTS or array.shape[-1] not in (2, 3):
        raise UserError(
            f"effects take the landmarks of face478, (478, 3) or (b, 478, 3), found {array.shape}"
        )
    return (array[None], True) if array.ndim == 2 else (array, False)


def as_face(landmarks: Any) -> Float64[np.ndarray, "478 3"]:
    """The landmarks of one face, checked.

    Raises:
        UserError: They are not those of `face478` in three dimensions, or not finite.
    """
    array = as_numbers(landmarks)
    if array.shape != (_POINTS, 3):
        raise UserError(f"expected the landmarks (478, 3) of one face, found {array.shape}")
    if not np.isfinite(array).all():
        raise UserError("landmarks are not finite")
    return array
