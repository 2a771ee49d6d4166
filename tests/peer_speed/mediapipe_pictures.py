"""Times MediaPipe's face mesh on single pictures; runs in the oracle's environment.

    python tests/peer_speed/mediapipe_pictures.py FACES

Reads the path of a picture from each line, and writes the CPU time of all threads [ms] that
`FaceMesh(static_image_mode=True, refine_landmarks=True)` takes for it, then the number of faces.
Each picture is decoded once, and its first time counts as well as any other.
"""

import sys
import time
from functools import cache

import cv2
import numpy as np
from mediapipe.python.solutions.face_mesh import FaceMesh


@cache
def picture(path: str) -> np.ndarray:
    """The picture in RGB."""
    return np.ascontiguousarray(cv2.imread(path)[:, :, ::-1])


def main() -> None:
    """Answers each line."""
    faces = int(sys.argv[1])
    with FaceMesh(static_image_mode=True, max_num_faces=faces, refine_landmarks=True) as mesh:
        for line in sys.stdin:
            image = picture(line.strip())
            start = time.process_time()
            found = mesh.process(image).multi_face_landmarks
            cpu = (time.process_time() - start) * 1e3
            print(cpu, len(found or []), flush=True)


if __name__ == "__main__":
    main()
