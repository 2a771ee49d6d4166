"""Antialiased strokes of any width and strength, blended into a picture."""

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

Colour = tuple[int, int, int]

_SHIFT = 6  # fractional bits of the coordinates that OpenCV's drawing functions take
_MAX_THICKNESS = 32_766


class Layer:
    """The part of a picture around one face, and a coverage mask to draw on.

    The mask is drawn several times as large as the picture where a face is small, and averaged:
    this gives lines under a pixel wide, and one opacity where lines cross.

    Attributes:
        empty: The face lies outside the picture; nothing may be drawn.
    """

    def __init__(
        self,
        image: UInt8[np.ndarray, "h w 3"],
        points: Float[np.ndarray, "n 2"],
        size: float,
        margin: float,
    ) -> None:
        limit = np.array([image.shape[1], image.shape[0]], np.float64)
        low = np.floor(points.min(axis=0) - margin).clip(0, limit).astype(int)
        high = np.ceil(points.max(axis=0) + margin).clip(0, limit).astype(int)
        self.empty = bool((low >= high).any())
        self._part = image[low[1] : high[1], low[0] : high[0]]
        self._origin = low
        self._zoom = 4 if size < 400 else 2 if size < 1600 else 1
        self._mask = self._blank()

    def stroke(
        self,
        points: Float[np.ndarray, "m 2"],
        segments: Int[np.ndarray, "s 2"],
        strength: Float[np.ndarray, " m"],
        width: float,
    ) -> None:
        """Adds line segments, each as strong as the mean of its ends; the strong lie on top."""
        levels = np.rint(strength[segments].mean(axis=1) * 15).astype(int) * 17
        ends = self._fixed(points)[segments]
        # An antialiased line of OpenCV is 1.4 px wider than its thickness, if that is even.
        wide = width * self._zoom
        thickness = 1 if wide < 2.4 else min(max(2 * round((wide - 1.4) / 2), 2), _MAX_THICKNESS)
        for level in np.unique(levels):
            part = list(ends[levels == level])
            cv2.polylines(self._mask, part, False, int(level), thickness, cv2.LINE_AA, shift=_SHIFT)

    def dot(self, centre: Float[np.ndarray, "2"], radius: float, strength: float) -> None:
        """Adds a disc."""
        x, y = self._fixed(centre)
        fixed = round(min(radius * self._zoom, 1e5) * (1 << _SHIFT))
        cv2.circle(
            self._mask, (int(x), int(y)), fixed, round(255 * strength), -1, cv2.LINE_AA, _SHIFT
        )

    def dim_outside(self, outline: Float[np.ndarray, "m 2"], factor: float) -> None:
        """Leaves what was added inside the outline and weakens the rest."""
        inside = np.full_like(self._mask, round(255 * factor))
        cv2.fillPoly(inside, [self._fixed(outline)], 255, cv2.LINE_AA, _SHIFT)
        self._mask = cv2.multiply(self._mask, inside, scale=1 / 255)

    def paint(self, colour: Colour, opacity: float) -> None:
        """Blends the colour into the picture where the mask is, and clears the mask."""
        height, width = self._part.shape[:2]
        cover = cv2.resize(self._mask, (width, height), interpolation=cv2.INTER_AREA)
        left, top, wide, high = cv2.boundingRect(cover)
        touched = np.s_[top : top + high, left : left + wide]
        share = cover[touched].astype(np.float32) * np.float32(opacity / 255)
        for channel, value in enumerate(colour):
            plane = self._part[touched][..., channel]
            below = plane.astype(np.float32)
            plane[...] = np.rint(below + (np.float32(value) - below) * share)
        self._mask = self._blank()

    def _blank(self) -> UInt8[np.ndarray, "h w"]:
        height, width = self._part.shape[:2]
        return np.zeros((height * self._zoom, width * self._zoom), np.uint8)

    def _fixed(self, points: Float[np.ndarray, "*m 2"]) -> Int[np.ndarray, "*m 2"]:
        """OpenCV's fixed-point pixel indices; a point far outside stays within its integers."""
        index = (points - self._origin) * self._zoom - 0.5
        fixed: np.ndarray = np.rint(index.clip(-1e5, 1e5) * (1 << _SHIFT)).astype(np.int32)
        return fixed
