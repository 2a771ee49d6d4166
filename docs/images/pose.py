"""Draws `pose.jpg`: the axes of a head, and where its eyes look.

    python docs/images/pose.py

The picture is NASA's portrait of Eileen Collins, which is in the public domain, from scikit-image.
"""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from skimage.data import astronaut

import amesh

HERE = Path(__file__).resolve().parent
SIDE = 400  # of each panel [px]
SCALE = 2.4  # of the portrait, whose face is small
FACE = (222.0, 122.0)  # in the portrait [px]


def main() -> None:
    """Finds the face, draws on it twice, and writes the panels side by side."""
    shift = [SIDE / 2 - SCALE * FACE[0], SIDE / 2 - SCALE * FACE[1]]
    affine = np.array([[SCALE, 0, shift[0]], [0, SCALE, shift[1]]])
    image = cv2.warpAffine(
        astronaut(), affine, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    (face,) = amesh.FaceMesh("paper-256", max_faces=1)(image)
    eyes = amesh.eyes(face.landmarks, amesh.Camera.from_fov(SIDE, SIDE, vertical=12))
    panels = [amesh.draw_pose(image, eyes.pose), amesh.draw_gaze(image, eyes)]
    Image.fromarray(np.concatenate(panels, axis=1)).save(HERE / "pose.jpg", quality=90)


if __name__ == "__main__":
    main()
