"""Times a folder of pictures in MediaPipe's face mesh; runs in the oracle's environment.

    python tests/peer_speed/mediapipe_folder.py FACES FOLDER

At each line, reads all pictures one after the other, finds their faces with
`FaceMesh(static_image_mode=True, refine_landmarks=True)`, and takes the landmarks out of its
messages. Writes the wall time and the CPU time of all threads per picture [ms].
"""

import sys
import time
from pathlib import Path

import cv2
from mediapipe.python.solutions.face_mesh import FaceMesh


def main() -> None:
    """Answers each line."""
    faces, folder = sys.argv[1:]
    paths = [path for path in sorted(Path(folder).rglob("*")) if path.is_file()]
    with FaceMesh(
        static_image_mode=True, max_num_faces=int(faces), refine_landmarks=True
    ) as face_mesh:
        for _ in sys.stdin:
            wall, cpu = time.perf_counter(), time.process_time()
            for path in paths:
                image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
                for face in face_mesh.process(image).multi_face_landmarks or ():
                    [(point.x, point.y, point.z) for point in face.landmark]
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            print(wall * 1e3 / len(paths), cpu * 1e3 / len(paths), flush=True)


if __name__ == "__main__":
    main()
