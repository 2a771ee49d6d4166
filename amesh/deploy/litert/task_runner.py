"""Runs the landmark network of a task bundle on crops, as the other files are run.

MediaPipe's Face Landmarker cuts crops of one size, whatever network is in its bundle, and takes
outputs of its own shapes.
"""

import numpy as np
from jaxtyping import Float32

from amesh.deploy.litert.runner import LitertFile
from amesh.deploy.parity import Images

# Side of the crop that Face Landmarker cuts [px].
TASK_SIZE = 256


class TaskFile(LitertFile):
    """The landmark network of a bundle, ready to run."""

    def run_crops(self, crops: Images) -> dict[str, np.ndarray]:
        """Landmarks [px of the crops] and face flags of crops of the network's own size."""
        outputs = super().run_crops(as_task_crops(crops))
        points = outputs["landmarks"].reshape(len(crops), -1, 3)
        scale = np.float32(crops.shape[1] / TASK_SIZE)
        return {"landmarks": points * scale, "face_flag": outputs["face_flag"].reshape(-1)}


def as_task_crops(crops: Float32[np.ndarray, "b s s 3"]) -> Float32[np.ndarray, "b t t 3"]:
    """Images of the size that Face Landmarker cuts; the graph resizes them to `crops`.

    Many images do; these are the ones nearest to zero, and their values may leave [0, 1].
    """
    size = crops.shape[1]
    if size == TASK_SIZE:
        return crops
    inverse = np.linalg.pinv(_resize_matrix(TASK_SIZE, size))
    wide = np.einsum("ip,bpqc,jq->bijc", inverse, crops.astype(np.float64), inverse, optimize=True)
    return np.ascontiguousarray(wide, dtype=np.float32)


def _resize_matrix(source: int, size: int) -> np.ndarray:
    """The bilinear resize of a row of `source` pixels, with centres at half pixels."""
    at = ((np.arange(size) + 0.5) * source / size - 0.5).clip(0, source - 1)
    low = np.floor(at).astype(int)
    matrix = np.zeros((size, source))
    matrix[np.arange(size), low] += 1 - (at - low)
    matrix[np.arange(size), np.minimum(low + 1, source - 1)] += at - low
    return matrix
