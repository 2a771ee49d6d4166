"""Draws `puppet.jpg`: a face, and its mesh with its texture, turned and with other expressions.

    python docs/images/puppet.py

The picture is NASA's portrait of Eileen Collins, which is in the public domain, from scikit-image.
"""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from skimage.data import astronaut

import amesh
from amesh.effects.morph_targets import morph_targets
from amesh.effects.texture import paint, unwrap

HERE = Path(__file__).resolve().parent
SIDE = 300  # of each panel [px]
SCALE = 2.2  # of the portrait, whose face is small
FACE = (222.0, 125.0)  # in the portrait [px]
BACKGROUND = (236, 236, 240)
# Degrees to the picture's right, and the weights of morph targets.
PUPPETS: tuple[tuple[float, Mapping[str, float]], ...] = (
    (-35, {}),
    (20, {"eyeBlinkLeft": 1, "mouthSmileLeft": 0.4}),
    (-20, {"browInnerUp": 1, "jawOpen": 0.35, "eyeLookUpLeft": 0.4, "eyeLookUpRight": 0.4}),
)


def main() -> None:
    """Finds the face, turns and moves its mesh, and writes the panels side by side."""
    shift = [SIDE / 2 - SCALE * FACE[0], SIDE / 2 - SCALE * FACE[1]]
    affine = np.array([[SCALE, 0, shift[0]], [0, SCALE, shift[1]]])
    portrait = cv2.warpAffine(
        astronaut(), affine, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    (face,) = amesh.FaceMesh(max_faces=1)(portrait)
    texture, targets = unwrap(portrait, face.landmarks), morph_targets(face.landmarks)
    panels = [portrait]
    for yaw, weights in PUPPETS:
        moved = face.landmarks + sum(weight * targets[name] for name, weight in weights.items())
        middle = (moved.min(axis=0) + moved.max(axis=0)) / 2
        turn = cv2.Rodrigues(np.radians([0.0, -yaw, 0.0]))[0]
        turned = (moved - middle) @ turn.T + (SIDE / 2, SIDE / 2, 0)
        empty = np.full_like(portrait, BACKGROUND)
        panels.append(paint(empty, texture[..., :3], turned))
    Image.fromarray(np.hstack(panels)).save(HERE / "puppet.jpg", quality=90)


if __name__ == "__main__":
    main()
