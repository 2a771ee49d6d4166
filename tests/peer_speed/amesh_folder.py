"""Times a folder of pictures as `amesh run` does it: the counterpart of `mediapipe_folder.py`.

python tests/peer_speed/amesh_folder.py FACES DETECTOR MODEL FOLDER

Reads a number of workers from each line.
"""

import sys
import time

from amesh.face_mesh import FaceMesh
from amesh.pipeline.inputs import Picture, find_inputs
from amesh.pipeline.results import to_line
from amesh.pipeline.run import run_pictures


def main() -> None:
    """Answers each line."""
    faces, detector, model, folder = sys.argv[1:]
    face_mesh = FaceMesh(model, detector=detector, max_faces=int(faces))  # type: ignore[arg-type]
    pictures = [one for one in find_inputs([folder]).found if isinstance(one, Picture)]
    for line in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        for result in run_pictures(face_mesh, pictures, workers=int(line)):
            to_line(result).encode()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(wall * 1e3 / len(pictures), cpu * 1e3 / len(pictures), flush=True)


if __name__ == "__main__":
    main()
