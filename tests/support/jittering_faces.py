"""A network whose landmarks jitter by a known amount, and frames for it."""

from collections.abc import Iterator

import numpy as np

from amesh.geometry.roi import Roi
from amesh.pipeline.face_pipeline import Face


class Jittering:
    """Predicts a face with added noise; loses it in frames of a single colour."""

    def __init__(self, face: np.ndarray, noise: float, seed: int = 0) -> None:
        self.face, self.noise = face, noise
        self.random = np.random.default_rng(seed)
        self.detections = 0
        self.rois: list[Roi] = []

    def __call__(self, image: np.ndarray, rois: Roi | None = None) -> list[Face]:
        seen = bool(np.ptp(image))
        if rois is None:
            self.detections += 1
        else:
            self.rois.append(rois)
        found = self.face.copy()
        found[:, :2] += self.random.normal(0, self.noise, (len(found), 2))
        region = rois or Roi(*[None] * 3)  # type: ignore[arg-type]
        face = Face(0, 0.9 if seen else 0.1, found.astype(np.float32), region)
        return [face] if seen or rois is not None else []


def frames(count: int, blank: int | None = None) -> Iterator[np.ndarray]:
    """Frames with a face, except for number `blank`."""
    for i in range(count):
        frame = np.zeros((8, 8, 3), np.uint8)
        frame[0] = 0 if i == blank else 255
        yield frame
