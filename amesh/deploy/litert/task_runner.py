"""Runs the landmark network of a task bundle on crops, like other exported files.

MediaPipe's Face Landmarker uses crops of a fixed size, whatever network is in its bundle, and
expects its own output shapes.
"""

import numpy as np
from jaxtyping import Float32

from amesh.deploy.litert.runner import LitertFile
from amesh.deploy.parity import Images

# Side of Face Landmarker's crops [px].
TASK_SIZE = 256


class TaskFile(LitertFile):
    """The landmark network of a bundle, ready to run."""

    def run_crops(self, crops: Images) -> dict[str, np.ndarray]:
        """Predicts landmarks [crop px] and face flags for crops of the network's own size."""
        outputs = super().run_crops(as_task_crops(crops))
        points = outputs["landmarks"].reshape(len(crops), -1, 3)
        scale = np.float32(crops.shape[1] / TASK_SIZE)
        return {"landmarks": points * scale, "face_flag": outputs["face_flag"].reshape(-1)}


def as_task_crops(crops: Float32[np.ndarray, "b s s 3"]) -> Float32[np.ndarray, "b t t 3"]:
    """Makes images of Face Landmarker's crop size that the graph resizes to exactly `crops`.

    Of the many solutions these have the smallest values, which may lie outside [0, 1].
    """
    size = crops.shape[1]
    if size == TASK_SIZE:
        return crops
    inverse = np.linalg.pinv(_resize_matrix(TASK_SIZE, size))
    wide = np.einsum("ip,bpqc,jq->bijc", inverse, crops.astype(np.float64), inverse, optimize=True)
    return np.ascontiguousarray(wide, dtype=np.float32)


def _resize_matrix(source: int, size: int) -> np.ndarray:
    """Matrix that resizes a row of `source` pixels bilinearly, with centres at half pixels."""
    at = ((np.arange(size) + 0.5) * source / size - 0.5).clip(0, source - 1)
    low = np.floor(at).astype(int)
    matrix = np.zeros((size, source))
    matrix[np.arange(size), low] += 1 - (at - low)
    matrix[np.arange(size), np.minimum(low + 1, source - 1)] += at - low
    return matrix
