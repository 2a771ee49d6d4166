"""A network whose landmarks jitter by a known amount."""

import numpy as np

from amesh.geometry.roi import Roi
from amesh.pipeline.face_pipeline import Face


class Jittering:
    """Predicts a face with added noise, whatever it looks at."""

    def __init__(self, face: np.ndarray, noise: float, seed: int = 0) -> None:
        self.face, self.noise = face, noise
        self.random = np.random.default_rng(seed)
        self.rois: list[Roi] = []

    def __call__(self, image: np.ndarray, rois: Roi | None = None) -> list[Face]:
        assert rois is not None
        self.rois.append(rois)
        found = self.face.copy()
        found[:, :2] += self.random.normal(0, self.noise, (len(found), 2))
        return [Face(0, 0.9, found.astype(np.float32), rois)]
