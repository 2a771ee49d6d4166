"""Runs exported ONNX files in ONNX Runtime, on the CPU or on an NVIDIA GPU."""

from pathlib import Path
from typing import Literal

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

Device = Literal["cpu", "cuda"]

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class OnnxFile(ExportedFile):
    """An ONNX file ready to run: arrays in, arrays by output name out."""

    def __init__(
        self, source: str | Path | bytes, threads: int = 1, device: Device = "cpu"
    ) -> None:
        """Loads a file; if it has a sidecar, the two must match.

        Args:
            source: Path or content.
            threads: Threads per run; 0 uses as many as the machine has.
            device: Device to run on.

        Raises:
            UserError: The file is missing or damaged or does not match its sidecar, or ONNX Runtime
                does not support the device here.
        """
        import onnxruntime

        self.opened_with = (reopened(source), threads, device)
        self.source = "the ONNX model" if isinstance(source, bytes) else str(source)
        content = source if isinstance(source, bytes) else read_file(Path(source), "onnx")
        provider = _PROVIDERS[device]
        there = onnxruntime.get_available_providers()
        if provider not in there:
            raise UserError(
                f"ONNX Runtime has no {provider} here (it has: {', '.join(there)}); "
                "for CUDA, install onnxruntime-gpu in place of onnxruntime"
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Otherwise its threads keep cores busy after each run, while the caller crops and draws.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        options.log_severity_level = 3
        try:
            self.session = onnxruntime.InferenceSession(content, options, providers=[provider])
        except Exception as error:  # its exceptions have no common class of their own
            raise UserError(
                f"{self.source}: ONNX Runtime cannot load it ({_reason(error)})"
            ) from error
        if provider not in self.session.get_providers():
            raise UserError(f"{self.source}: ONNX Runtime could not start {provider}")
        inputs = self.session.get_inputs()
        self.inputs = {one.name: tuple(one.shape) for one in inputs}
        self.dtypes = {one.name: "uint8" for one in inputs if "uint8" in one.type}
        self.layout = "nhwc" if self.dtypes else "nchw"
        self.outputs = self.stored = {
            one.name: tuple(one.shape) for one in self.session.get_outputs()
        }
        properties = self.session.get_modelmeta().custom_metadata_map
        self.size = len(content)
        self.about = read_about(properties.get(METADATA, "{}"), self.source)

    def __call__(self, **arrays: np.ndarray) -> dict[str, np.ndarray]:
        """Runs the file once.

        Raises:
            UserError: ONNX Runtime fails.
        """
        try:
            results = self.session.run(None, arrays)
        except Exception as error:  # its exceptions have no common class of their own
            raise UserError(
                f"{self.source}: ONNX Runtime cannot run it ({_reason(error)})"
            ) from error
        return dict(zip(self.outputs, results, strict=True))


class OnnxRunner(FileRunner):
    """An exported landmark network as `amesh.runner.Runner`."""

    def __init__(
        self,
        source: str | Path | bytes,
        *,
        name: str = "",
        topology: str = "",
        threads: int = 1,
        device: Device = "cpu",
    ) -> None:
        """Loads an exported network.

        Args:
            source: Path or content of the file.
            name: Name of the network; by default the one in the file.
            topology: Landmark scheme; by default the one in the file.
            threads: Threads per run; 0 uses as many as the machine has.
            device: Device to run on.

        Raises:
            UserError: As for `OnnxFile` and `amesh.deploy.exported_file.FileRunner`.
        """
        super().__init__(OnnxFile(source, threads, device), name, topology)


def open_detector(source: str | Path | bytes, threads: int = 1) -> FileDetector:
    """Opens an exported face detector.

    Args:
        source: Path or content of the file.
        threads: Threads per run; 0 uses as many as the machine has.

    Raises:
        UserError: As for `OnnxFile`, or the file is no face detector.
    """
    return FileDetector(OnnxFile(source, threads))


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
