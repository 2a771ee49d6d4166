"""A pipeline that finds one face in every picture; as a script, `amesh` with this pipeline.

python one_face.py SECONDS run photos/ --output faces.jsonl
"""

import sys
import time
from typing import Any

import numpy as np

from amesh.geometry.roi import Roi
from amesh.pipeline.face_pipeline import Face, FacePipeline
from amesh.runner import RunnerOutput
from amesh.topology import load


class Runner:
    """A network that predicts no errors."""

    name, input_size = "one-face", 8

    def __init__(self) -> None:
        """Loads its scheme."""
        self.topology = load()

    def __call__(self, crops: np.ndarray) -> RunnerOutput:
        """Landmarks at 0."""
        return RunnerOutput(
            np.zeros((len(crops), 478, 3), np.float32), np.zeros(len(crops), np.float32)
        )


class OneFace(FacePipeline):
    """Finds the mean face in the middle of every picture."""

    def __init__(self, pictures: int | None = None, seconds: float = 0.0) -> None:
        """Prepares the pipeline.

        Args:
            pictures: Raise KeyboardInterrupt after this many pictures. Which ones they are is
                certain with one worker only.
            seconds: Time to spend on each picture [s].
        """
        self.runner = Runner()
        self.left, self.seconds = pictures, seconds

    def __call__(self, image: Any, rois: Any = None, boxes: Any = None) -> list[Face]:
        """The face."""
        if self.left == 0:
            raise KeyboardInterrupt
        if self.left is not None:
            self.left -= 1
        time.sleep(self.seconds)
        height, width = image.shape[:2]
        landmarks = np.zeros((478, 3), np.float32)
        landmarks[:, :2] = load().template[:, :2] * min(width, height) / 2 + (width / 2, height / 2)
        return [Face(0, 0.9, landmarks, Roi.at(width / 2, height / 2, height))]


if __name__ == "__main__":
    from amesh.cli import main, run

    run.open_face_mesh = lambda _: OneFace(seconds=float(sys.argv[1]))  # type: ignore[assignment]
    sys.exit(main(sys.argv[2:]))
