"""Draws `track.webp`: a face that is followed under a moving camera.

    python docs/images/track.py

The picture is NASA's portrait of Eileen Collins, which is in the public domain, from scikit-image.
The camera pans, zooms and rolls over it, and ends where it began.
"""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from skimage.data import astronaut

import amesh

HERE = Path(__file__).resolve().parent
SIZE = 400  # side of the film [px]
FRAMES = 72
RATE = 18  # [frames/s]
FACE = (224.0, 118.0)  # in the portrait [px]


def film() -> Iterator[tuple[float, np.ndarray]]:
    """Times [s] and frames."""
    portrait = astronaut()
    for i in range(FRAMES):
        turn = 2 * np.pi * i / FRAMES
        side = 270 - 125 * np.sin(turn / 2) ** 2  # of what the camera sees [px]
        path = (40 * np.sin(turn), 8 * np.sin(2 * turn) + side / 16)
        centre = np.add(FACE, path)
        affine = cv2.getRotationMatrix2D(tuple(centre), 14 * np.sin(2 * turn), SIZE / side)
        affine[:, 2] += SIZE / 2 - centre
        yield (
            i / RATE,
            cv2.warpAffine(
                portrait,
                affine,
                (SIZE, SIZE),
                flags=cv2.INTER_CUBIC,
                borderMode=cv2.BORDER_REPLICATE,
            ),
        )


def main() -> None:
    """Writes the file."""
    tracker = amesh.FaceTracker(smoothing="light")
    drawn = [amesh.draw_faces(frame, tracker.process(frame, time)) for time, frame in film()]
    first, *others = map(Image.fromarray, drawn)
    first.save(
        HERE / "track.webp",
        save_all=True,
        append_images=others,
        duration=round(1000 / RATE),
        loop=0,
        quality=60,
        method=6,
    )


if __name__ == "__main__":
    main()
