"""Times MediaPipe's face mesh on clips; runs in the oracle's environment.

Each line read is `CLIP.npy FACES FRAMES`: the next frames of a clip, which is played forwards and
backwards again and again, are processed by a `FaceMesh(refine_landmarks=True)` in tracking mode,
one for each clip and number of faces. The answer is the median CPU time of a frame, of all threads
[ms], and the smallest number of faces in a frame.

    python tests/peer_speed/mediapipe_tracking.py
"""

import sys
import time
from functools import cache

import numpy as np
from mediapipe.python.solutions.face_mesh import FaceMesh


class Player:
    """A clip and the face mesh that follows its faces."""

    def __init__(self, clip: str, faces: int) -> None:
        self.frames = np.load(clip)
        self.mesh = FaceMesh(max_num_faces=faces, refine_landmarks=True)
        self.number = 0

    def __call__(self) -> tuple[float, int]:
        """CPU time of the next frame [s], and its number of faces."""
        length = len(self.frames)
        place = self.number % (2 * length - 2)
        frame = self.frames[min(place, 2 * length - 2 - place)]
        self.number += 1
        start = time.process_time()
        found = self.mesh.process(frame).multi_face_landmarks
        return time.process_time() - start, len(found or [])


def main() -> None:
    """Answers each line."""
    player = cache(Player)
    for line in sys.stdin:
        clip, faces, frames = line.split()
        play = player(clip, int(faces))
        times, found = zip(*(play() for _ in range(int(frames))), strict=True)
        print(float(np.median(times)) * 1e3, min(found), flush=True)


if __name__ == "__main__":
    main()
