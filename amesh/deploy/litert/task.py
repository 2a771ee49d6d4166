"""`.task` bundles: what the Face Landmarker of MediaPipe Tasks takes instead of Google's own.

A bundle is a zip without compression of two TFLite files that carry the metadata of Tasks: a face
detector, Google's, and a landmark network. It has no blendshapes.
"""

import io
import zipfile

import numpy as np
from jaxtyping import Float32

from amesh.deploy.litert.export import TASK_SIZE, export_for_task
from amesh.deploy.litert.metadata import TASKS_NAME, add_metadata, tasks_metadata
from amesh.deploy.network.prepare import Network
from amesh.deploy.signature import Precision
from amesh.errors import UserError
from amesh.weights.install import read_original

DETECTOR, LANDMARKS = "face_detector.tflite", "face_landmarks_detector.tflite"
# What Face Landmarker counts: it draws irises and takes 468 to 477 for them.
_POINTS = 478
# Start of a member's data, so that it can be used where the bundle is mapped into memory [bytes].
_ALIGNMENT = 64
_LOCAL_HEADER = 30  # of a zip's member, without name and extra field [bytes]
_EXTRA_HEADER = 4  # identifier and size of an extra field [bytes]
_EXTRA_ID = 0xD935  # the one that Android's zipalign pads with


def export_task(net: Network, precision: Precision = "fp16") -> bytes:
    """A bundle with a network and Google's short-range detector; the same bytes each time.

    Args:
        net: A network of the family with the 478 landmarks.
        precision: Of the landmark network; see `amesh.deploy.litert.export.export_litert`.

    Raises:
        UserError: The detector's file is not in the cache, the network has other landmarks, or it
            has no TFLite form.
    """
    points = net.config.load_topology().points
    if points != _POINTS:
        raise UserError(
            f"{net.config.name}: Face Landmarker takes {_POINTS} landmarks, this network has "
            f"{points} ({net.config.topology})"
        )
    detector = with_tasks_metadata(read_original("detector-short"), "face detector", 127.5, 127.5)
    landmarks = with_tasks_metadata(export_for_task(net, precision), net.config.name, 0.0, 255.0)
    return bundle({DETECTOR: detector, LANDMARKS: landmarks})


def with_tasks_metadata(content: bytes, name: str, mean: float, std: float) -> bytes:
    """A TFLite file with the metadata that Tasks reads: its input is (byte - mean) / std."""
    return add_metadata(content, {TASKS_NAME: tasks_metadata(content, name, mean, std)})


def bundle(files: dict[str, bytes]) -> bytes:
    """A zip without compression, its members aligned, the same for the same files."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            # Else date and system would be this machine's.
            member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            member.create_system = 3
            member.external_attr = 0o644 << 16
            start = target.tell() + _LOCAL_HEADER + len(name) + _EXTRA_HEADER
            padding = -start % _ALIGNMENT
            head = _EXTRA_ID.to_bytes(2, "little") + padding.to_bytes(2, "little")
            member.extra = head + b"\0" * padding
            archive.writestr(member, content)
    return target.getvalue()


def read_bundle(content: bytes) -> dict[str, bytes]:
    """The files of a bundle by name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def as_task_crops(crops: Float32[np.ndarray, "b s s 3"]) -> Float32[np.ndarray, "b t t 3"]:
    """Pictures of the size that Tasks cuts, which the resize in the graph turns into `crops`.

    Of the many that there are, the ones nearest to zero; their values may leave [0, 1].
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
