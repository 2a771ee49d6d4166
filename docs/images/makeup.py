"""Draws `makeup.jpg`: a face as it is, and in two looks.

    python docs/images/makeup.py

The picture is NASA's portrait of Eileen Collins, which is in the public domain, from scikit-image.
"""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from skimage.data import astronaut

import amesh
from amesh.effects import makeup

HERE = Path(__file__).resolve().parent
SIDE = 380  # of each panel [px]
SCALE = 2.2  # of the portrait, whose face is small
FACE = (224.0, 118.0)  # in the portrait [px]

DAY = [
    makeup.blush("#e08080", 0.2),
    makeup.eye_shadow("#b08878", 0.45),
    makeup.lipstick("#c0606a", 0.7),
]
EVENING = [
    makeup.blush("#c85068", 0.25),
    makeup.eye_shadow("#5a3a68", 0.6),
    makeup.eyeliner(),
    makeup.lipstick("#980c2c", 0.85),
    makeup.iris_tint("#3f86a0", 0.6),
]


def main() -> None:
    """Finds the face, paints it twice, and writes the panels side by side."""
    shift = [SIDE / 2 - SCALE * FACE[0], SIDE / 2 - SCALE * FACE[1]]
    affine = np.array([[SCALE, 0, shift[0]], [0, SCALE, shift[1]]])
    portrait = cv2.warpAffine(
        astronaut(), affine, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    faces = amesh.FaceMesh()(portrait)
    looks = [makeup.apply(portrait, faces, products) for products in ([], DAY, EVENING)]
    Image.fromarray(np.hstack(looks)).save(HERE / "makeup.jpg", quality=90)


if __name__ == "__main__":
    main()
