"""Writes what Python's makeup makes of a face, for the tests in the browser.

`python web/tools/makeup_golden.py PICTURE OUTPUT.json`: the face's part of the picture,
enlarged, its landmarks there, and the picture with each product, all as base64 RGB.
"""

import json
import sys
from base64 import b64encode
from pathlib import Path

import cv2
import numpy as np

from amesh import FaceMesh, read_image
from amesh.effects import makeup

# Names in TypeScript.
PRODUCTS = {
    "lipstick": (makeup.lipstick, "#b0103a", 0.75),
    "eyeliner": (makeup.eyeliner, "#141014", 0.85),
    "eyeShadow": (makeup.eye_shadow, "#2a6a9a", 0.8),
    "blush": (makeup.blush, "#d8506a", 0.5),
    "irisTint": (makeup.iris_tint, "#3a7ca8", 0.6),
}
ZOOM = 2  # a face as large as in a video call
MARGIN = 0.15  # around the face, as a share of its size


def main(picture: Path, output: Path) -> None:
    """Writes the file."""
    image = read_image(picture)
    landmarks = FaceMesh()(image)[0].landmarks.astype(np.float64)
    low, high = landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)
    margin = MARGIN * (high - low).max()
    left, top = np.floor(low - margin).clip(0).astype(int)
    right, bottom = np.ceil(high + margin).astype(int)
    part = np.ascontiguousarray(image[top:bottom, left:right])
    landmarks = (landmarks - (left, top, 0)) * ZOOM
    part = cv2.resize(part, None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_CUBIC)
    content = {
        "width": part.shape[1],
        "height": part.shape[0],
        "landmarks": landmarks.round(3).ravel().tolist(),
        "picture": b64encode(part.tobytes()).decode(),
        "products": {
            name: {
                "color": color,
                "strength": strength,
                "picture": b64encode(
                    makeup.apply(part, landmarks, make(color, strength)).tobytes()
                ).decode(),
            }
            for name, (make, color, strength) in PRODUCTS.items()
        },
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(content))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
