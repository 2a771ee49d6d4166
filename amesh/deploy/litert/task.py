"""`.task` bundles for the Face Landmarker of MediaPipe Tasks, in place of Google's own.

A bundle is an uncompressed zip of two TFLite files with the metadata of Tasks: Google's face
detector and a landmark network; and Google's blendshape network, if it has been imported.
"""

import io
import zipfile
import zlib
from pathlib import Path

from amesh.deploy import parity
from amesh.deploy.exported_file import read_file
from amesh.deploy.formats import Precision
from amesh.deploy.litert.export import export_for_task, require_litert
from amesh.deploy.litert.metadata import TASKS_NAME, add_metadata, tasks_metadata
from amesh.deploy.litert.task_runner import TaskFile
from amesh.deploy.network.prepare import Network, without_errors
from amesh.errors import UserError
from amesh.weights.install import original_file, read_original

DETECTOR, LANDMARKS = "face_detector.tflite", "face_landmarks_detector.tflite"
BLENDSHAPES = "face_blendshapes.tflite"
# Number of landmarks that Face Landmarker expects: it draws 468 to 477 as irises.
_POINTS = 478
# Alignment of a member's data, so that it can be used directly in a memory-mapped bundle [bytes].
_ALIGNMENT = 64
# What a damaged zip raises.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    *(KeyError, ValueError, EOFError, OSError, RuntimeError),
)
_LOCAL_HEADER = 30  # of a zip's member, without name and extra field [bytes]
_EXTRA_HEADER = 4  # identifier and size of an extra field [bytes]
_EXTRA_ID = 0xD935  # the one that Android's zipalign pads with


def export_task(net: Network, precision: Precision = "fp16", *, verify: bool = True) -> bytes:
    """Bundles a network with Google's short-range detector; the bytes are reproducible.

    After `amesh weights import face-landmarker`, Google's blendshape network is in it, too, and
    Face Landmarker's `output_face_blendshapes` may be on.

    Args:
        net: A network of the family with the 478 landmarks.
        precision: Precision of the network; see `amesh.deploy.litert.export.export_litert`.
        verify: Compare the landmark network in the bundle with PyTorch; otherwise the caller must.

    Raises:
        UserError: The detector's file is not in the cache, the one of the blendshapes is damaged,
            the network has other landmarks, or as for `amesh.deploy.litert.export.export_litert`.
    """
    points = net.config.load_topology().points
    if points != _POINTS:
        raise UserError(
            f"{net.config.name}: Face Landmarker needs {_POINTS} landmarks, but this network has "
            f"{points} ({net.config.topology})"
        )
    detector = with_tasks_metadata(read_original("detector-short"), "face detector", 127.5, 127.5)
    landmarks = export_for_task(net, precision, verify=False)
    landmarks = with_tasks_metadata(landmarks, net.config.name, 0.0, 255.0)
    files = {DETECTOR: detector, LANDMARKS: landmarks}
    if original_file("face-blendshapes").is_file():
        files[BLENDSHAPES] = read_original("face-blendshapes")  # as it is: it has its metadata
    content = bundle(files)
    if verify:
        require_litert()
        file = TaskFile(read_bundle(content)[LANDMARKS])
        parity.verify(file.run_crops, without_errors(net), precision, "the task bundle")
    return content


def open_task(path: Path) -> TaskFile:
    """Opens the landmark network of a bundle; if the bundle has a sidecar, the two must match.

    Raises:
        UserError: The file is missing, is no such bundle, or does not match its sidecar.
    """
    content = read_file(path, "task")
    try:
        landmarks = read_bundle(content)[LANDMARKS]
    except _DAMAGED as error:
        raise UserError(f"{path}: not a bundle with {LANDMARKS} in it") from error
    file = TaskFile(landmarks)
    file.source, file.size = str(path), len(content)
    return file


def with_tasks_metadata(content: bytes, name: str, mean: float, std: float) -> bytes:
    """Adds the metadata that Tasks reads to a TFLite file; its input is (byte - mean) / std."""
    return add_metadata(content, {TASKS_NAME: tasks_metadata(content, name, mean, std)})


def bundle(files: dict[str, bytes]) -> bytes:
    """Writes an uncompressed zip with aligned members; the same files give the same bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            # Otherwise date and system would depend on the machine.
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
    """Reads the files of a bundle, by name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
