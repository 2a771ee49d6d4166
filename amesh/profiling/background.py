"""Fills holes of pictures smoothly, from what surrounds them."""

import cv2
import numpy as np
from jaxtyping import Float32


def fill(
    picture: Float32[np.ndarray, "h w 3"], known: Float32[np.ndarray, "h w"]
) -> Float32[np.ndarray, "h w 3"]:
    """Fills what is not known: means of known pixels at the finest scale that has some.

    Args:
        picture: The picture; what is not known is ignored.
        known: Weight of each pixel, 0 to 1.
    """
    height, width = known.shape
    if min(height, width) <= 1 or bool((known > 0.999).all()):
        return picture
    size = ((width + 1) // 2, (height + 1) // 2)
    weight = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    mean = cv2.resize(picture * known[..., None], size, interpolation=cv2.INTER_AREA)
    mean = mean / np.maximum(weight, 1e-6)[..., None]
    coarse = fill(mean.astype(np.float32), np.minimum(weight * 2, 1.0).astype(np.float32))
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(smooth + (picture - smooth) * known[..., None], np.float32)
