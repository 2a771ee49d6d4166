"""Writes `reference.json`: numbers to check another implementation of the pipeline against.

    python docs/pipeline/reference.py > docs/pipeline/reference.json

`crops` needs no file. Its picture is a formula: pixel (column x, row y) of a 640 x 480 picture
holds red = x mod 256, green = y mod 256, blue = (x + y) mod 256; the regions avoid the jumps.

`detectors` follows one picture from its pixels to the region of interest, step by step, and
`landmarks` goes on from there. The picture is the upper part of NASA's portrait of Eileen Collins
(public domain), `skimage.data.astronaut()[:384]`.
"""

import json
from typing import Any

import numpy as np

from amesh.blazeface.config import FULL, SHORT, DetectorConfig
from amesh.detector_runner import TorchDetector
from amesh.geometry import affine, roi
from amesh.geometry.roi import Roi
from amesh.pipeline.crops import crop_image
from amesh.pipeline.decoding import anchors, decode, weighted_nms
from amesh.pipeline.detector import IOU, MIN_SCORE, Detector, letterbox
from amesh.pipeline.face_pipeline import FacePipeline
from amesh.runner import TorchRunner

SIZE = 256
# Name, box of the detection (left, top, right, bottom), its two eyes (image-left one first) [px].
FACES = (
    ("level", (60.0, 50.0, 180.0, 190.0), ((90.0, 100.0), (150.0, 100.0))),
    ("turned", (300.0, 270.0, 440.0, 430.0), ((340.0, 330.0), (400.0, 365.0))),
)
PIXELS = ((128, 128), (100, 140), (150, 120))
# Nose tip, chin, outer corners of the eyes, corners of the mouth.
LANDMARKS = (1, 152, 33, 263, 61, 291)


def formula() -> np.ndarray:
    """The picture that the formula describes, RGB."""
    y, x = np.mgrid[0:480, 0:640]
    return np.stack([x % 256, y % 256, (x + y) % 256], axis=-1).astype(np.uint8)


def portrait() -> np.ndarray:
    """The picture for the detectors, RGB; wider than high."""
    from skimage import data

    return np.ascontiguousarray(data.astronaut()[:384])


def reference() -> dict[str, Any]:
    """All numbers."""
    detectors = {config.name: detection(config) for config in (SHORT, FULL)}
    return {"crops": crops(), "detectors": detectors, "landmarks": landmarks()}


def crops() -> list[dict[str, Any]]:
    """Region, matrix, points and pixels of each face in the formula's picture."""
    return [
        {"name": name, "box": box, "eyes": eyes, **describe(region(box, eyes))}
        for name, box, eyes in FACES
    ]


def region(box: Any, eyes: Any) -> Roi:
    """The region of interest of a detection."""
    return roi.from_detection(np.array([box], np.float64), np.array([eyes], np.float64))


def describe(found: Roi) -> dict[str, Any]:
    """A region's numbers, and what it cuts out of the formula's picture."""
    matrix = roi.image_from_crop(found, SIZE)
    points = np.array([[[0.0, 0.0], [SIZE, 0.0], [128.0, 128.0]]])
    crop = crop_image(formula().astype(np.float32), matrix[0], SIZE, antialias=False)
    return {
        "roi": as_region(found),
        "image_from_crop": rounded(matrix[0]),
        "crop_points": rounded(points[0]),
        "image_points": rounded(affine.apply(matrix, points)[0]),
        "crop_pixels": [{"column": c, "row": r, "rgb": rounded(crop[r, c])} for c, r in PIXELS],
    }


def as_region(found: Roi) -> dict[str, Any]:
    """A region of interest in words."""
    return {
        "centre": rounded(found.centre[0]),
        "side": rounded(found.size[0]),
        "angle_radians": rounded(found.angle[0]),
    }


def detection(config: DetectorConfig) -> dict[str, Any]:
    """Every step of a detector on the portrait."""
    image, network = portrait(), TorchDetector.open(config.model)
    squares: list[np.ndarray] = []

    def watched(square: np.ndarray) -> Any:
        squares.append(square)
        return network(square)

    watched.config = config  # type: ignore[attr-defined]
    [face] = Detector([watched])(image)  # type: ignore[list-item]
    [square] = squares
    answer = network(square)
    centres, least = anchors(config), MIN_SCORE[config.name]
    kept = np.flatnonzero(answer.scores >= np.log(least / (1 - least)))
    rows, scores = decode(*answer, centres, least)
    [merged], [best] = weighted_nms(rows, scores, IOU)
    height, width = image.shape[:2]
    middle = config.input_size // 2
    return {
        "picture": [width, height],
        "image_from_input": rounded(letterbox(width, height, config.input_size)),
        "input_mean_rgb": rounded(square.mean((0, 1))),
        "input_pixels": [
            {"column": c, "row": middle, "rgb": square[middle, c].tolist()}
            for c in (middle - 20, middle, middle + 20)
        ],
        "anchors": [
            {"number": n, "centre": rounded(centres[n])} for n in (0, 1, 40, config.anchors - 1)
        ],
        "kept": [
            {
                "anchor": int(n),
                "logit": rounded(answer.scores[n]),
                "raw": rounded(answer.boxes[n]),
                "row": rounded(row),
                "score": rounded(score),
            }
            for n, row, score in zip(kept, rows, scores, strict=True)
        ],
        "merged": {"row": rounded(merged), "score": rounded(best)},
        "box": rounded(face.box),
        "keypoints": rounded(face.keypoints),
        "roi": as_region(region(face.box, face.keypoints[:2])),
    }


def landmarks() -> dict[str, Any]:
    """What the landmark network says of the region that the short-range detector gives."""
    detector = Detector([TorchDetector.open(SHORT.model)])
    pipeline = FacePipeline(TorchRunner.open("paper-256"), detector, look_again=False)
    [face] = pipeline(portrait())
    return {
        "network": "paper-256",
        "image_from_crop": rounded(roi.image_from_crop(face.roi, SIZE)[0]),
        "score": rounded(np.array(face.score)),
        "landmarks": {str(n): rounded(face.landmarks[n]) for n in LANDMARKS},
    }


def rounded(values: Any) -> Any:
    """Six digits behind the point, without negative zeros."""
    return (np.asarray(values, np.float64).round(6) + 0.0).tolist()


if __name__ == "__main__":
    print(json.dumps(reference(), indent=1))
