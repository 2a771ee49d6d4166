"""Times `FaceTracker` on clips: the counterpart of `mediapipe_tracking.py`.

Also answers `memory CLIP.npy FRAMES`: how much the process grows from frame 1,000 on [MB]. In every
hundredth frame there is no face, so faces are lost and found again.

    python tests/peer_speed/amesh_tracking.py MODEL RUNTIME
"""

import resource
import sys
import time
from functools import cache
from pathlib import Path

import numpy as np

from amesh.face_tracker import FaceTracker


class Player:
    """A clip and the tracker that follows its faces."""

    def __init__(self, model: str, runtime: str, clip: str, faces: int) -> None:
        self.frames = np.load(clip)
        self.tracker = FaceTracker(model, runtime, max_faces=faces)
        self.number = 0

    def __call__(self, empty: bool = False) -> tuple[float, int]:
        """CPU time of the next frame [s], and its number of faces."""
        length = len(self.frames)
        place = self.number % (2 * length - 2)
        frame = self.frames[min(place, 2 * length - 2 - place)]
        if empty:
            frame = np.zeros_like(frame)
        self.number += 1
        start = time.process_time()
        found = self.tracker.process(frame, self.number / 30)
        return time.process_time() - start, len(found)


def resident() -> float:
    """Memory of this process now [MB]."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def growth(play: Player, frames: int) -> float:
    """How much the process grows after the first 1,000 frames [MB]."""
    start = 0.0
    for number in range(frames):
        if number == 1_000:
            start = resident()
        play(empty=number % 100 == 99)
    return resident() - start


def main() -> None:
    """Answers each line."""
    model, runtime = sys.argv[1:]
    player = cache(Player)
    for line in sys.stdin:
        if line.startswith("memory "):
            _, clip, frames = line.split()
            print(growth(player(model, runtime, clip, 1), int(frames)), flush=True)
            continue
        clip, faces, frames = line.split()
        play = player(model, runtime, clip, int(faces))
        times, found = zip(*(play() for _ in range(int(frames))), strict=True)
        print(float(np.median(times)) * 1e3, min(found), flush=True)


if __name__ == "__main__":
    main()
