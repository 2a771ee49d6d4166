"""Areas of makeup as masks: filled, feathered, and faded where the face turns away."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float32, Float64, Int

from amesh.effects.makeup_colour import smooth_step
from amesh.effects.makeup_shapes import Area, Layer

_SHIFT = 6  # fractional bits of the coordinates that OpenCV's drawing functions take
_REACH = 2.5  # feathers beyond which nothing is covered
_MAX_FEATHER = 64.0  # [px]: bounds the work on faces much larger than their picture


class Mask(NamedTuple):
    """The pixels that an area covers.

    Attributes:
        pixels: Their indices in the picture, row after row.
        cover: How much of each, 0 to 1.
    """

    pixels: Int[np.ndarray, " k"]
    cover: Float32[np.ndarray, " k"]


def rasterise(area: Area, width: int, height: int, least: float) -> Mask | None:
    """Draws an area.

    Args:
        area: The area.
        width: Of the picture [px].
        height: Of the picture [px].
        least: Pixels with no more cover than this are left out.

    Returns:
        Pixels within the area and its feather; None if nothing of it can be seen.
    """
    feather, edge = min(area.feather, _MAX_FEATHER), min(area.edge, _MAX_FEATHER)
    bounded = area.inside is not None or area.outside is not None
    # A wide blur needs few pixels.
    step = max(int((min(feather, edge) if bounded else feather) / 2.5), 1)
    first, *others = (layer.outline for layer in area.layers)
    outlines = np.concatenate([first, *others]) if others else first
    margin = _REACH * feather + step + 1
    # Plain numbers: for two of them, a call of NumPy costs more than the arithmetic.
    ends = zip(outlines.min(axis=0).tolist(), outlines.max(axis=0).tolist(), strict=True)
    (left, right), (top, bottom) = (
        (min(max(math.floor(low - margin), 0), side), min(max(math.ceil(high + margin), 0), side))
        for (low, high), side in zip(ends, (width, height), strict=True)
    )
    if area.cover <= 0 or left >= right or top >= bottom:
        return None
    low, high = np.array([left, top]), np.array([right, bottom])
    faintest, clearest = _extremes(area.fade.tolist(), (left, right), (top, bottom))
    if clearest <= 0:
        return None
    canvas = _Canvas(low, high, step)
    cover = canvas.soft(area.layers, feather)
    if area.inside is not None:
        cover *= canvas.soft((Layer(area.inside),), edge)
    if area.outside is not None:
        cover *= 1 - canvas.soft((Layer(area.outside),), edge)
    if faintest < 1:
        cover *= canvas.fade(area.fade)
    if area.cover < 1:
        cover *= np.float32(area.cover)
    cover = canvas.enlarged(cover).ravel()
    within = np.flatnonzero(cover > least)
    row_width = right - left
    pixels = within + within // row_width * (width - row_width) + (top * width + left)
    return Mask(pixels, cover.take(within))


class _Canvas:
    """A part of the picture, on which soft polygons are drawn; each pixel of it covers some."""

    def __init__(self, low: Int[np.ndarray, "2"], high: Int[np.ndarray, "2"], step: int) -> None:
        self.low, self.step = low, step
        self.part = high - low
        self.width, self.height = (-(-self.part // step)).tolist()

    def soft(self, layers: Sequence[Layer], sigma: float) -> Float32[np.ndarray, "h w"]:
        """The layers, blurred; beyond the picture's border, they go on as they end there."""
        sigma /= self.step
        # OpenCV's antialiased polygons are half a pixel too large: fill more pixels, and average.
        zoom = 2 if sigma >= 1 else 4
        drawn = np.zeros((self.height * zoom, self.width * zoom), np.uint8)
        for layer in layers:
            index = (layer.outline - self.low) * (zoom / self.step) - 0.5
            # A point far outside stays within the fixed-point integers.
            corners = np.rint(index.clip(-1e5, 1e5) * (1 << _SHIFT)).astype(np.int32)
            cv2.fillPoly(drawn, [corners], round(255 * layer.level), cv2.LINE_8, _SHIFT)
        small = cv2.resize(drawn, (self.width, self.height), interpolation=cv2.INTER_AREA)
        mask = small.astype(np.float32) * np.float32(1 / 255)
        if sigma < 0.2:
            return mask
        side = 2 * int(np.ceil(_REACH * sigma)) + 1
        return cv2.GaussianBlur(mask, (side, side), sigma, borderType=cv2.BORDER_REPLICATE)

    def fade(self, plane: Float64[np.ndarray, "3"]) -> Float32[np.ndarray, "h w"]:
        """How visible each pixel's surface is."""
        (left, top), step = self.low, self.step
        x = plane[1] * (left + step * (np.arange(self.width) + 0.5))
        y = plane[2] * (top + step * (np.arange(self.height) + 0.5)) + plane[0]
        return smooth_step(x.astype(np.float32) + y.astype(np.float32)[:, None], 0, 1)

    def enlarged(self, mask: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "part_h part_w"]:
        """The mask in pixels of the picture."""
        if self.step == 1:
            return mask
        width, height = self.part.tolist()
        size = self.width * self.step, self.height * self.step
        return cv2.resize(mask, size)[:height, :width]


def _extremes(
    plane: Sequence[float], x: tuple[int, int], y: tuple[int, int]
) -> tuple[float, float]:
    """The least and the greatest value of a plane on a box."""
    level, *slopes = plane
    ends = [sorted((slope * a, slope * b)) for slope, (a, b) in zip(slopes, (x, y), strict=True)]
    least, most = (level + sum(side) for side in zip(*ends, strict=True))
    return least, most
