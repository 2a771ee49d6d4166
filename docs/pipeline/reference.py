"""Writes `reference.json`: numbers to check another implementation of the pipeline against.

    python docs/pipeline/reference.py > docs/pipeline/reference.json

`crops` needs no file. Its picture is a formula: pixel (column x, row y) of a 640 x 480 picture
holds red = x mod 256, green = y mod 256, blue = (x + y) mod 256; the regions avoid the jumps.

`detectors` follows one picture from its pixels to the region of interest, step by step, and
`landmarks` goes on from there. The picture is the upper part of NASA's portrait of Eileen Collins
(public domain), `skimage.data.astronaut()[:384]`.

`more_crops`, `suppression`, `profiles` and `smoothing` need no file either: crops that shrink the
picture and that leave it, boxes of several faces, angles of faces in profile, and landmarks over
time.
"""

import json
import re
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
from amesh.pipeline.smoothing import PRESETS, Smoother
from amesh.runner import TorchRunner
from amesh.topology import load

SIZE = 256
# Name, box of the detection (left, top, right, bottom), its two eyes (image-left one first) [px].
FACES = (
    ("level", (60.0, 50.0, 180.0, 190.0), ((90.0, 100.0), (150.0, 100.0))),
    ("turned", (300.0, 270.0, 440.0, 430.0), ((340.0, 330.0), (400.0, 365.0))),
)
PIXELS = ((128, 128), (100, 140), (150, 120))
# Name, side of the crop, region of interest (centre x, y, side, angle), pixels (column, row).
MORE_CROPS = (
    ("shrunk", 64, (320.0, 240.0, 400.0, 0.25), ((24, 24), (36, 20), (40, 40))),
    ("beyond the edges", 64, (30.25, 60.0, 64.0, 0.0), ((0, 30), (1, 30), (2, 30), (40, 63))),
)
# Left, top, right, bottom [input px], score. The first three are one face, and so are the next two;
# one overlaps nobody, one has no area.
BOXES = (
    ((20.0, 20.0, 60.0, 60.0), 0.9),
    ((22.0, 18.0, 62.0, 58.0), 0.8),
    ((30.0, 30.0, 66.0, 66.0), 0.6),
    ((80.0, 70.0, 110.0, 100.0), 0.7),
    ((82.0, 72.0, 112.0, 102.0), 0.95),
    ((56.0, 50.0, 90.0, 84.0), 0.55),
    ((5.0, 5.0, 5.0, 5.0), 0.65),
)
# Outer corners of the eyes (image-left one first), top and bottom of the midline [px]: seen from
# the front, turned so far that both count, in profile, and beyond it.
PROFILES = (
    (((100.0, 100.0), (190.0, 104.0)), ((143.0, 60.0), (147.0, 235.0))),
    (((130.0, 100.0), (165.0, 108.0)), ((143.0, 60.0), (150.0, 235.0))),
    (((150.0, 100.0), (156.0, 112.0)), ((143.0, 60.0), (160.0, 235.0))),
    (((156.0, 100.0), (150.0, 103.0)), ((143.0, 60.0), (160.0, 235.0))),
)
# Time [s] and three landmarks (x, y, z) [px] in it: at rest, moving, the same time again, and after
# a gap that is too long to smooth over.
FRAMES = (
    (0.0, ((10.0, 20.0, 1.0), (110.0, 24.0, 2.0), (60.0, 120.0, -8.0))),
    (0.033, ((10.4, 19.8, 1.1), (110.2, 24.3, 2.0), (60.1, 119.7, -8.2))),
    (0.067, ((9.9, 20.1, 0.9), (109.9, 24.0, 2.1), (59.8, 120.2, -7.9))),
    (0.1, ((16.0, 22.0, 1.0), (116.5, 26.0, 2.0), (66.2, 122.0, -8.0))),
    (0.1, ((17.0, 22.0, 1.0), (117.0, 26.0, 2.0), (67.0, 122.0, -8.0))),
    (0.134, ((23.0, 24.0, 1.2), (123.0, 28.0, 1.9), (73.0, 124.0, -8.1))),
    (0.7, ((40.0, 30.0, 1.0), (140.0, 34.0, 2.0), (90.0, 130.0, -8.0))),
    (0.733, ((40.5, 30.2, 1.0), (140.4, 34.1, 2.1), (90.2, 130.1, -8.2))),
)
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
    return {
        "crops": crops(),
        "more_crops": more_crops(),
        "suppression": suppression(),
        "profiles": profiles(),
        "smoothing": smoothing(),
        "detectors": detectors,
        "landmarks": landmarks(),
    }


def crops() -> list[dict[str, Any]]:
    """Region, matrix, points and pixels of each face in the formula's picture."""
    return [
        {"name": name, "box": box, "eyes": eyes, **describe(region(box, eyes))}
        for name, box, eyes in FACES
    ]


def more_crops() -> list[dict[str, Any]]:
    """Pixels of crops that shrink the formula's picture, and of crops that leave it."""
    found = []
    for name, size, (x, y, side, angle), pixels in MORE_CROPS:
        matrix = roi.image_from_crop(Roi.at(x, y, side, angle), size)[0]
        crop = crop_image(formula().astype(np.float32), matrix, size)
        found.append(
            {
                "name": name,
                "size": size,
                "roi": {"centre": [x, y], "side": side, "angle_radians": angle},
                "image_from_crop": rounded(matrix),
                "crop_pixels": pixels_of(crop, pixels),
            }
        )
    return found


def suppression() -> dict[str, Any]:
    """Boxes of several faces and what weighted suppression makes of them.

    A row's keypoints are its own corners, in turns, so they are weighted as its box is.
    """
    rows = np.array([box + box * 3 for box, _ in BOXES], np.float32)
    scores = np.array([score for _, score in BOXES], np.float32)
    merged, best = weighted_nms(rows, scores, IOU)
    return {
        "overlap": IOU,
        "rows": rounded(rows),
        "scores": rounded(scores),
        "merged": [
            {"row": rounded(row), "score": rounded(score)}
            for row, score in zip(merged, best, strict=True)
        ],
    }


def profiles() -> list[dict[str, Any]]:
    """Angles of regions from landmarks, for faces seen from the front to beyond the profile."""
    topology, found = load(), []
    for eyes, midline in PROFILES:
        # All other landmarks lie between those two, so that the box follows from these four.
        points = np.full((1, topology.points, 2), 145.0)
        points[0, topology.anchors], points[0, topology.midline] = eyes, midline
        next_region = as_region(topology.region_of_interest(points))
        found.append({"eyes": eyes, "midline": midline, "roi": next_region})
    return found


def smoothing() -> dict[str, Any]:
    """Landmarks over time, and what the One-Euro filter makes of them."""
    frames = [{"time": time, "landmarks": landmarks} for time, landmarks in FRAMES]
    found = []
    for name in ("mediapipe", "light"):
        settings = PRESETS[name]
        assert settings is not None
        smoother = Smoother(settings)
        smooth = [rounded(smoother(np.array(points), time)) for time, points in FRAMES]
        found.append(
            {
                "name": name,
                "min_cutoff": settings.min_cutoff,
                "beta": settings.beta,
                "derivative_cutoff": settings.derivative_cutoff,
                "landmarks": smooth,
            }
        )
    return {"frames": frames, "filters": found}


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
        "crop_pixels": pixels_of(crop, PIXELS),
    }


def pixels_of(crop: np.ndarray, pixels: Any) -> list[dict[str, Any]]:
    """Some pixels (column, row) of a crop."""
    return [{"column": c, "row": r, "rgb": rounded(crop[r, c])} for c, r in pixels]


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
        "all": rounded(face.landmarks.round(3)),
        "next_roi": as_region(face.topology.region_of_interest(face.landmarks[None].astype(float))),
    }


def rounded(values: Any) -> Any:
    """Six digits behind the point, without negative zeros."""
    return (np.asarray(values, np.float64).round(6) + 0.0).tolist()


def as_json(numbers: Any) -> str:
    """JSON with a line for each innermost list."""
    text = json.dumps(numbers, indent=1)
    return re.sub(r"\[([^][{}]*)\]", lambda found: f"[{' '.join(found[1].split())}]", text)


if __name__ == "__main__":
    print(as_json(reference()))
