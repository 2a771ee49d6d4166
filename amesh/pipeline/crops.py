"""Cuts square crops out of pictures.

Convention
    Coordinates are continuous: the corner of the top-left pixel is (0, 0), its centre (0.5, 0.5).
"""

from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float32, Float64, Num, UInt8

# warpAffine of OpenCV 4 addresses its source with 16-bit integers; `_blurred` adds two pixels.
_MAX_WARP_SIDE = 32_764
# Largest distance of the samples in a crop that shrinks the picture [px]. Smaller ones blur, larger
# ones alias and read too much of the picture. With 1.75 and 2 x 2 samples, crops of faces differ
# from those with hundreds of samples by 0.4 to 1.3 grey levels; crops that do not shrink, with one
# sample, by 0.9.
_STEP = 1.75
# Up to this distance, one sample of the blurred picture takes a third of the time of 2 x 2 samples,
# and is about as good: 0.4 grey levels from hundreds of samples instead of 0.3 [px].
_BLUR = 2.0
_BORDERS = {"zero": cv2.BORDER_CONSTANT, "replicate": cv2.BORDER_REPLICATE}
_RIM = np.array([[0, 0, 1], [0, 0, 1]])  # by how much `_blurred` moves the picture [px]


def crop_image(
    image: UInt8[np.ndarray, "h w 3"] | Float32[np.ndarray, "h w 3"],
    image_from_crop: Float64[np.ndarray, "2 3"],
    size: int,
    border: Literal["zero", "replicate"] = "zero",
    antialias: bool = True,
    samples: int = 2,
) -> UInt8[np.ndarray, "k k 3"] | Float32[np.ndarray, "k k 3"]:
    """Cuts a square crop out of a picture (h, w, 3) with one bilinear interpolation.

    Plain bilinear sampling would alias where the crop shrinks the picture. To less than half, the
    picture is blurred first, as the mean over each crop pixel would. Beyond that, each crop pixel
    is the mean of 2 x 2 samples, and these come from the picture halved as often as it takes for
    them to be `_STEP` apart at most. So the time hardly grows with the region's size.

    Convention
        image_from_crop maps continuous crop coordinates [crop px] to continuous picture coordinates
        [px], so crop pixel (i, j) takes its value around image_from_crop (j + 0.5, i + 0.5).

    Args:
        image: uint8 or float32; the crop (size, size, 3) has the same type.
        image_from_crop: an invertible affine.
        size: side of the crop [px].
        border: pixels outside the picture are black ("zero": the last half pixel blends into
            them), or repeat the nearest edge pixel ("replicate").
        antialias: False samples each crop pixel once, as a runtime without supersampling does.
        samples: along each side of a crop pixel where the crop shrinks the picture. One, without
            any blur, takes a third of the time of four, and moves landmarks by 0.06 to 0.12 % of
            the eye distance (median).
    """
    if size < 1 or not np.isfinite(image_from_crop).all():
        found = f"size {size}, {image_from_crop.tolist()}"
        raise ValueError(f"expected a size >= 1 and a finite affine, found {found}")
    shrink = float(np.linalg.norm(image_from_crop[:, :2], axis=0).max()) if antialias else 1.0
    cell = 1  # side of what becomes a pixel of the halved picture [px]
    samples = samples if shrink > 1 + 1e-6 else 1
    while shrink > _STEP * samples * cell:
        cell *= 2
    image, affine = _cut(image, image_from_crop, size, cell)
    while cell > 1 or max(image.shape[:2]) > _MAX_WARP_SIDE:
        image, affine = halved(image, border), affine / 2
        cell //= 2
    if samples > 1 and shrink < _BLUR:
        image, affine = _blurred(image, shrink, border), affine + _RIM
        samples = 1
    affine = affine / (samples, samples, 1)  # from the crop at `samples` times the size
    # Pixel indices lie half a pixel before continuous coordinates, on both sides of the affine.
    affine[:, 2] += affine[:, :2] @ (0.5, 0.5) - 0.5
    crop: np.ndarray = cv2.warpAffine(
        image,
        affine,
        (size * samples, size * samples),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=_BORDERS[border],
    )
    if samples > 1:
        crop = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)
    return crop


def _cut(
    image: Num[np.ndarray, "h w 3"], affine: Float64[np.ndarray, "2 3"], size: int, cell: int
) -> tuple[Num[np.ndarray, "cut_h cut_w 3"], Float64[np.ndarray, "2 3"]]:
    """The part of the picture that the crop can see (at least a pixel), and the affine to it.

    Within the picture, its sides are multiples of `cell`, and so is its distance from the crop.
    """
    corners = affine @ np.array([[0, size, 0, size], [0, 0, size, size], [1, 1, 1, 1]], np.float64)
    limit = np.array([image.shape[1], image.shape[0]], np.float64)
    low = (np.floor(corners.min(axis=1)) - 2 * cell).clip(0, limit - 1)
    cells = np.ceil((corners.max(axis=1) - low) / cell) + 2
    high = (low + cells * cell).clip(low + 1, limit).astype(np.int64)
    low = low.astype(np.int64)
    image = image[low[1] : high[1], low[0] : high[0]]
    return image, affine - np.stack([np.zeros(2), np.zeros(2), low], axis=1)


def halved(
    image: Num[np.ndarray, "h w 3"], border: Literal["zero", "replicate"] = "zero"
) -> Num[np.ndarray, "_h _w 3"]:
    """Means of 2 x 2 pixels; pixels that are missing at the far edges are those of the border."""
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        image = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, _BORDERS[border])
    smaller = (image.shape[1] // 2, image.shape[0] // 2)
    return cv2.resize(image, smaller, interpolation=cv2.INTER_AREA)


def _blurred(
    image: Num[np.ndarray, "h w 3"], width: float, border: Literal["zero", "replicate"]
) -> Num[np.ndarray, "h+2 w+2 3"]:
    """The picture blurred like means over squares, with a rim for what spreads beyond its edges.

    Args:
        image: The picture.
        width: Side of the squares, from 1 to 2 [px].
        border: What lies outside the picture.
    """
    padded = cv2.copyMakeBorder(image, 1, 1, 1, 1, _BORDERS[border])
    share = width**2 / 24  # of each neighbour: the variance is that of the square, width^2 / 12
    kernel = np.array([share, 1 - 2 * share, share], np.float32)  # with float64, all are slower
    return cv2.sepFilter2D(padded, -1, kernel, kernel, padded, borderType=_BORDERS[border])


def as_mediapipe_cuts(image_from_crop: Float64[np.ndarray, "2 3"]) -> Float64[np.ndarray, "2 3"]:
    """The affine whose correct cut equals MediaPipe's cut with `image_from_crop`.

    MediaPipe's CPU path applies a matrix between corners to pixel indices
    (`image_to_tensor_converter_opencv.cc`), so crop pixel i reads the source at index A(i), where
    A(i + 0.5) - 0.5 would be right.
    """
    shifted = image_from_crop.copy()
    shifted[:, 2] += 0.5 - image_from_crop[:, :2].sum(1) * 0.5
    return shifted
