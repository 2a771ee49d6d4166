"""Measures in a picture how far head and hair reach beyond the face's outline."""

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from amesh.profiling.background import fill

# Side of the picture that is measured on [px], and of what it shows [units of the head].
_SIDE, _SHOWN = 224, 5.0
# The background starts this far beyond the fitted skull at the latest [units of the head].
_ROOM = 0.4
_STEP = 0.02  # between places that are looked at
# What differs from the background by this much in a channel is no background.
_DIFFERENT = 26.0


class Rays(NamedTuple):
    """Rays from a face's outline away from it, in the picture [px].

    Attributes:
        start: (k, 2) the outline.
        out: (k, 2) directions, unit vectors.
        skull: (k,) where the fitted skull ends.
    """

    start: Float[np.ndarray, "k 2"]
    out: Float[np.ndarray, "k 2"]
    skull: Float[np.ndarray, " k"]


def reach(pixels: UInt8[np.ndarray, "h w 3"], rays: Rays, scale: float) -> Float[np.ndarray, " k"]:
    """Returns how far the head reaches along each ray [px]; the skull's end where that is unclear.

    Args:
        pixels: The picture, RGB.
        rays: Where to look.
        scale: Length of the head's unit [px].
    """
    zoom = _SIDE / (_SHOWN * scale)
    corner = rays.start.mean(0) - _SHOWN * scale / 2
    move = np.array([[zoom, 0, -corner[0] * zoom], [0, zoom, -corner[1] * zoom]])
    move[:, 2] += 0.5 * zoom - 0.5
    soft = cv2.GaussianBlur(pixels, (0, 0), max(0.6 / zoom, 0.5))
    cut = cv2.warpAffine(soft, move, (_SIDE, _SIDE)).astype(np.float32)
    whole = np.ones(pixels.shape[:2], np.float32)
    inside = cv2.warpAffine(whole, move, (_SIDE, _SIDE), flags=cv2.INTER_NEAREST)
    room = (rays.skull + _ROOM * scale)[:, None]
    head = np.zeros((_SIDE, _SIDE), np.uint8)
    rim = np.round((rays.start + rays.out * room - corner) * zoom).astype(np.int32)
    cv2.fillPoly(head, [rim.clip(-_SIDE, 2 * _SIDE)], 255)
    plate = fill(cut, (inside * (head == 0)).astype(np.float32))
    differs = np.abs(cut - plate).max(2) > _DIFFERENT
    steps = np.arange(0, float(room.max()) / scale, _STEP) * scale
    at = (rays.start[:, None] + rays.out[:, None] * steps[:, None] - corner) * zoom
    column, row = np.floor(at).astype(int).clip(0, _SIDE - 1).transpose(2, 0, 1)
    shown = differs[row, column] & (inside[row, column] > 0)
    ends = ends_of(shown)
    found = steps[ends.argmax(1)]
    border = (inside[row, column] > 0).argmin(1)
    beyond = (border > 0) & (found >= steps[border] - _STEP * scale)
    unclear = ~ends.any(1) | beyond
    return np.where(unclear, rays.skull, np.minimum(found, room[:, 0]))


def ends_of(shown: Bool[np.ndarray, "k m"]) -> Bool[np.ndarray, "k m"]:
    """Returns where a head may end: before two places in a row that look like the background.

    Args:
        shown: Whether the head is seen at places along each ray, from its face outwards.
    """
    following = np.pad(shown[:, 1:], ((0, 0), (0, 1)), constant_values=True)
    ends: Bool[np.ndarray, "k m"] = ~shown & ~following
    return ends
