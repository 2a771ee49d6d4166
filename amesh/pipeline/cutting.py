"""How MediaPipe cuts, for the comparisons with it."""

import numpy as np
from jaxtyping import Float64


def as_mediapipe_cuts(image_from_crop: Float64[np.ndarray, "2 3"]) -> Float64[np.ndarray, "2 3"]:
    """The affine whose correct cut equals MediaPipe's cut with `image_from_crop`.

    MediaPipe's CPU path applies a matrix between corners to pixel indices
    (`image_to_tensor_converter_opencv.cc`), so crop pixel i reads the source at index A(i), where
    A(i + 0.5) - 0.5 would be right.
    """
    shifted = image_from_crop.copy()
    shifted[:, 2] += 0.5 - image_from_crop[:, :2].sum(1) * 0.5
    return shifted
