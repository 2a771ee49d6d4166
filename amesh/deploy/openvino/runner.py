"""Runs OpenVINO's IR files on the CPU."""

import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np

from amesh.deploy.exported_file import (
    ExportedFile,
    FileDetector,
    FileRunner,
    read_about,
    read_file,
    reopened,
)
from amesh.deploy.signature import METADATA
from amesh.errors import UserError

# Where an .xml file states the hash of its .bin; and where OpenVINO keeps an ONNX file's metadata.
WEIGHTS_SHA256 = "amesh_bin_sha256"
ABOUT = ("framework", METADATA)

# The answers of single precision, also where the CPU multiplies faster in half. Other processes
# may use the cores, too: threads are not bound to them.
_CONFIG = {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}


class OpenvinoFile(ExportedFile):
    """An .xml file with its .bin, ready to run: arrays in, arrays by output name out.

    Threads that call at the same time get a request of OpenVINO each, and later calls use them
    again.
    """

    layout = "nchw"

    def __init__(self, source: str | Path | tuple[bytes, bytes], threads: int = 1) -> None:
        """Loads a file; if it has a sidecar, the two must match.

        Args:
            source: Path of the .xml file, or the content of both.
            threads: Threads per run; 0 uses as many as the machine has.

        Raises:
            UserError: A file is missing or damaged, or the three do not belong together.
        """
        import openvino

        if isinstance(source, tuple):
            self.opened_with = (source, threads)
            self.source = "the OpenVINO model"
            xml, weights = source
        else:
            self.opened_with = (reopened(source), threads)
            self.source = str(source)
            xml, weights = _read(Path(source))
        _check_pair(xml, weights, self.source)
        core = openvino.Core()
        try:
            model = core.read_model(xml, weights)
            config = _CONFIG | {"INFERENCE_NUM_THREADS": threads}
            self._compiled = core.compile_model(model, "CPU", config)
        except RuntimeError as error:
            raise UserError(f"{self.source}: OpenVINO cannot load it ({_reason(error)})") from error
        self.size = len(xml) + len(weights)
        self._idle = [self._compiled.create_infer_request()]
        self.inputs = {one.any_name: _shape(one) for one in model.inputs}
        self.outputs = self.stored = {one.any_name: _shape(one) for one in model.outputs}
        known = model.has_rt_info(list(ABOUT))
        text = model.get_rt_info(list(ABOUT)).astype(str) if known else "{}"
        self.about = read_about(text, self.source)

    def __call__(self, **arrays: np.ndarray) -> dict[str, np.ndarray]:
        """Runs the file once.

        Raises:
            UserError: OpenVINO fails.
        """
        try:  # no lock: lists append and pop in one step
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        try:
            request.infer(arrays, share_inputs=True)
            # The request's own memory, which the next run overwrites.
            return {name: request.get_tensor(name).data.copy() for name in self.outputs}
        except (RuntimeError, TypeError, ValueError) as error:
            raise UserError(f"{self.source}: OpenVINO cannot run it ({_reason(error)})") from error
        finally:
            self._idle.append(request)


class OpenvinoRunner(FileRunner):
    """An exported landmark network as `amesh.runner.Runner`."""

    def __init__(
        self,
        source: str | Path | tuple[bytes, bytes],
        *,
        name: str = "",
        topology: str = "",
        threads: int = 1,
    ) -> None:
        """Loads an exported network.

        Args:
            source: Path of the .xml file, or the content of both.
            name: Name of the network; by default the one in the file.
            topology: Landmark scheme; by default the one in the file.
            threads: Threads per run; 0 uses as many as the machine has.

        Raises:
            UserError: As for `OpenvinoFile` and `amesh.deploy.exported_file.FileRunner`.
        """
        super().__init__(OpenvinoFile(source, threads), name, topology)


def open_detector(source: str | Path | tuple[bytes, bytes], threads: int = 1) -> FileDetector:
    """Opens an exported face detector.

    Args:
        source: Path of the .xml file, or the content of both.
        threads: Threads per run; 0 uses as many as the machine has.

    Raises:
        UserError: As for `OpenvinoFile`, or the file is no face detector.
    """
    return FileDetector(OpenvinoFile(source, threads))


def _read(path: Path) -> tuple[bytes, bytes]:
    xml, weights = read_file(path, "openvino"), path.with_suffix(".bin")
    if not weights.is_file():
        raise UserError(f"{path}: no {weights.name} beside it, which holds its weights")
    return xml, weights.read_bytes()


def _check_pair(xml: bytes, weights: bytes, source: str) -> None:
    """Checks the hash that an .xml file states, before OpenVINO reads nonsense."""
    stated = re.search(rf'<{WEIGHTS_SHA256} value="(\w+)"'.encode(), xml)
    if stated and stated[1].decode() != hashlib.sha256(weights).hexdigest():
        raise UserError(
            f"{source}: its .bin is damaged or belongs to another file; export it again"
        )


def _shape(value: Any) -> tuple[int | None, ...]:
    return tuple(None if n.is_dynamic else n.get_length() for n in value.partial_shape)


def _reason(error: Exception) -> str:
    """The last line that says something: OpenVINO begins with places in its source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
