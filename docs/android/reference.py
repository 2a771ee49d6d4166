"""Writes `reference.json`: numbers to check another implementation of the crop against.

    python docs/android/reference.py > docs/android/reference.json

The picture is a formula, so that no file is needed: pixel (column x, row y) of a 640 x 480 picture
holds red = x mod 256, green = y mod 256, blue = (x + y) mod 256; the ROIs avoid the jumps.
"""

import json
from typing import Any

import numpy as np
import torch

from amesh.geometry import affine, roi
from amesh.geometry.roi import Roi
from amesh.pipeline.images import crop_image

SIZE = 256
# Name, box of the detection (left, top, right, bottom), its two eyes (image-left one first) [px].
FACES = (
    ("level", (60.0, 50.0, 180.0, 190.0), ((90.0, 100.0), (150.0, 100.0))),
    ("turned", (300.0, 270.0, 440.0, 430.0), ((340.0, 330.0), (400.0, 365.0))),
)
PIXELS = ((128, 128), (100, 140), (150, 120))


def picture() -> np.ndarray:
    """The picture that the formula describes, RGB."""
    y, x = np.mgrid[0:480, 0:640]
    return np.stack([x % 256, y % 256, (x + y) % 256], axis=-1).astype(np.uint8)


def reference() -> list[dict[str, Any]]:
    """ROI, matrix, points and pixels of each face."""
    entries = []
    for name, box, eyes in FACES:
        found = roi.from_detection(
            torch.tensor([box], dtype=torch.float64), torch.tensor([eyes], dtype=torch.float64)
        )
        entries.append(describe(name, box, eyes, found))
    return entries


def describe(name: str, box: Any, eyes: Any, found: Roi) -> dict[str, Any]:
    """One face's numbers."""
    matrix = roi.image_from_crop(found, SIZE)
    points = torch.tensor([[[0.0, 0.0], [SIZE, 0.0], [128.0, 128.0]]], dtype=torch.float64)
    crop = crop_image(picture().astype(np.float32), matrix[0].numpy(), SIZE, antialias=False)
    return {
        "name": name,
        "box": box,
        "eyes": eyes,
        "roi": {
            "centre": rounded(found.centre[0]),
            "side": rounded(found.size[0]),
            "angle_radians": rounded(found.angle[0]),
        },
        "image_from_crop": rounded(matrix[0]),
        "crop_points": rounded(points[0]),
        "image_points": rounded(affine.apply(matrix, points)[0]),
        "crop_pixels": [
            {"column": c, "row": r, "rgb": rounded(torch.from_numpy(crop[r, c]))} for c, r in PIXELS
        ],
    }


def rounded(values: torch.Tensor) -> Any:
    """Six digits behind the point."""
    return torch.round(values.double(), decimals=6).tolist()


if __name__ == "__main__":
    print(json.dumps(reference(), indent=1))
