"""Finds faces in a picture with one of the released detectors, with both, or tile by tile.

Both scale the whole picture to 128 or 192 pixels, so they start to miss faces narrower than a tenth
of the picture. Also searching overlapping tiles finds faces of a third of that size.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from amesh.detector_runner import DetectorRunner
from amesh.pipeline.crops import as_mediapipe_cuts, crop_image, halved
from amesh.pipeline.decoding import anchors, decode, overlap, weighted_nms

# The thresholds of MediaPipe's graphs; boxes that overlap by more than `IOU` are one face.
MIN_SCORE = {"short": 0.5, "full": 0.6}
IOU = 0.3
# Of a tile's side. A face no wider than this lies whole in some tile; wider ones are seen anyway.
_TILE_OVERLAP = 1 / 3
# In pictures where short range finds a face of this size (over the longer side of the picture), the
# full-range detector adds nothing, and places large faces less well. docs/running.md has the
# measurements that chose it.
LARGE = 0.25


@dataclass(frozen=True)
class Detection:
    """A face found in a picture.

    Attributes:
        box: Left, top, right, bottom [image px].
        keypoints: The subject's right eye, left eye, nose tip, mouth, right and left ear tragion
            [image px].
        score: Confidence of the best anchor, from 0 to 1.
    """

    box: Float32[np.ndarray, " 4"]
    keypoints: Float32[np.ndarray, "6 2"]
    score: float

    @property
    def size(self) -> float:
        """The longer side of the box [px]."""
        return float((self.box[2:] - self.box[:2]).max())


class Detector:
    """Detector networks on pictures and their tiles; a face found twice is kept once, the best."""

    def __init__(
        self,
        networks: Sequence[DetectorRunner],
        mediapipe_crop: bool = False,
        tiles: int = 1,
        enough: float = math.inf,
    ) -> None:
        """Combines detector networks.

        Args:
            networks: Each searches every picture, in this order.
            mediapipe_crop: Shrink the picture as MediaPipe's CPU path does, half a pixel off and
                without antialiasing; only for comparisons with it.
            tiles: Number of square tiles along the longer side that the last network also searches;
                1 for none. Time grows with its square.
            enough: Size of a face, over the longer side of the picture, from which no further
                network searches the picture.
        """
        self.networks = networks
        self.mediapipe_crop = mediapipe_crop
        self.tiles = tiles
        self.enough = enough

    def __call__(self, image: UInt8[np.ndarray, "h w 3"]) -> list[Detection]:
        """Faces in an RGB picture, best first."""
        height, width = image.shape[:2]
        levels = [image]
        found: list[Detection] = []
        for network in self.networks:
            found += self._detect(network, levels)
            if any(face.size >= self.enough * max(height, width) for face in found):
                break
        if self.tiles > 1:
            for left, top, side in square_tiles(width, height, self.tiles):
                tile = image[top : top + side, left : left + side]
                found += [
                    _moved(face, left, top)
                    for face in self._detect(self.networks[-1], [tile])
                    if not _cut_off(face.box, (left, top, side), (width, height))
                ]
        return _surest(found)

    def _detect(
        self, network: DetectorRunner, levels: list[UInt8[np.ndarray, "_h _w 3"]]
    ) -> list[Detection]:
        """Searches a picture, the first of `levels`: each is half of the one before."""
        config = network.config
        height, width = levels[0].shape[:2]
        image_from_input = letterbox(width, height, config.input_size)
        square = self._square(levels, image_from_input, config.input_size)
        rows, scores = decode(*network(square), anchors(config), MIN_SCORE[config.name])
        rows, scores = weighted_nms(rows, scores, IOU)
        scale, shift = image_from_input[0, 0], image_from_input[:, 2]
        points = (rows.reshape(-1, 8, 2) * scale + shift).astype(np.float32)
        return [
            Detection(point[:2].reshape(4), point[2:], float(score))
            for point, score in zip(points, scores, strict=True)
        ]

    def _square(
        self,
        levels: list[UInt8[np.ndarray, "_h _w 3"]],
        image_from_input: Float64[np.ndarray, "2 3"],
        size: int,
    ) -> UInt8[np.ndarray, "s s 3"]:
        """A network's input. Missing levels are added to the list, for the next network."""
        if self.mediapipe_crop:
            cut = as_mediapipe_cuts(image_from_input)
            return crop_image(levels[0], cut, size, antialias=False)
        level = 0
        while max(levels[level].shape[:2]) > 2 * size:  # one sample a pixel sees all of the rest
            level += 1
            if level == len(levels):
                levels.append(halved(levels[-1]))
        return crop_image(levels[level], image_from_input / 2**level, size, antialias=False)


def letterbox(width: int, height: int, size: int) -> Float64[np.ndarray, "2 3"]:
    """The affine image_from_input that centres the picture in a square, its aspect ratio kept.

    Args:
        width: Of the picture [px].
        height: Of the picture [px].
        size: Side of the detector's input [px].
    """
    side = max(width, height)
    scale = side / size
    return np.array([[scale, 0, (width - side) / 2], [0, scale, (height - side) / 2]])


def square_tiles(width: int, height: int, count: int) -> list[tuple[int, int, int]]:
    """Left, top and side [px] of equal squares that cover a picture and overlap.

    Args:
        width: Of the picture [px].
        height: Of the picture [px].
        count: Number of tiles along the longer side; the shorter side gets as many as it needs.
    """
    step = 1 - _TILE_OVERLAP  # from one tile to the next, in sides
    side = math.ceil(max(width, height) / (1 + (count - 1) * step))

    def starts(length: int) -> list[int]:
        room = max(length - side, 0)
        gaps = math.ceil(room / (side * step) - 1e-6)
        return [round(room * i / gaps) for i in range(gaps + 1)] if gaps else [0]

    return [(left, top, side) for top in starts(height) for left in starts(width)]


def _cut_off(
    box: Float32[np.ndarray, " 4"], tile: tuple[int, int, int], size: tuple[int, int]
) -> bool:
    """Whether a box touches an inner edge of a tile; a neighbouring tile then sees more of it."""
    left, top, side = tile
    before = (left > 0 and box[0] < 1) or (top > 0 and box[1] < 1)
    right = left + side < size[0] and box[2] > side - 1
    return bool(before or right or (top + side < size[1] and box[3] > side - 1))


def _moved(face: Detection, left: int, top: int) -> Detection:
    shift = np.array([left, top], np.float32)
    return Detection(face.box + np.tile(shift, 2), face.keypoints + shift, face.score)


def _surest(found: list[Detection]) -> list[Detection]:
    """Best first, without those that overlap a better one.

    The score decides, not the detector: short range is more confident on large faces, and on small
    ones puts boxes so wide that the landmark network refuses them.
    """
    kept: list[Detection] = []
    for face in sorted(found, key=lambda face: -face.score):
        taken = np.array([better.box for better in kept], np.float32).reshape(-1, 4)
        if not (overlap(face.box, taken) > IOU).any():
            kept.append(face)
    return kept
