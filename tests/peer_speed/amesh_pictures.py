"""Times `FaceMesh` on single pictures: the counterpart of `mediapipe_pictures.py`.

python tests/peer_speed/amesh_pictures.py FACES DETECTOR MODEL [once]

With `once`, it does not look again at doubtful faces.
"""

import sys
import time
from functools import cache

import numpy as np

from amesh.face_mesh import FaceMesh
from amesh.pipeline.images import read_image


def main() -> None:
    """Answers each line."""
    faces, detector, model, *once = sys.argv[1:]
    face_mesh = FaceMesh(
        model,
        detector=detector,  # type: ignore[arg-type]
        max_faces=int(faces),
        look_again=not once,
    )
    picture = cache(read_image)
    for line in sys.stdin:
        image: np.ndarray = picture(line.strip())
        start = time.process_time()
        found = face_mesh(image)
        cpu = (time.process_time() - start) * 1e3
        print(cpu, len(found), flush=True)


if __name__ == "__main__":
    main()
