"""Runs exported ONNX files in ONNX Runtime, on the CPU or on an NVIDIA GPU."""

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32

from amesh.deploy import sidecar
from amesh.deploy.signature import INPUT, METADATA, OUTPUTS
from amesh.errors import UserError
from amesh.runner import RunnerOutput
from amesh.topology import load

Device = Literal["cpu", "cuda"]

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
# Crops that a file of dynamic batch gets together: bounds the memory that a crowd takes.
_MOST = 16


class OnnxFile:
    """An ONNX file ready to run: arrays in, arrays by output name out."""

    def __init__(
        self, source: str | Path | bytes, threads: int = 1, device: Device = "cpu"
    ) -> None:
        """Loads a file; a sidecar beside it has to match.

        Args:
            source: Path or content.
            threads: Threads of one run; 0 takes as many as the machine has.
            device: Where it runs.

        Raises:
            UserError: The file is missing or damaged or does not match its sidecar, or ONNX Runtime
                has no such device here.
        """
        import onnxruntime

        self.source = "the ONNX model" if isinstance(source, bytes) else str(source)
        if isinstance(source, bytes):
            content = source
        else:
            path = Path(source)
            if not path.is_file():
                raise UserError(f"no ONNX file {path}; `amesh export onnx` writes one")
            content = path.read_bytes()
            if sidecar.sidecar_file(path).is_file():
                sidecar.read(path)
        provider = _PROVIDERS[device]
        there = onnxruntime.get_available_providers()
        if provider not in there:
            raise UserError(
                f"ONNX Runtime has no {provider} here (it has: {', '.join(there)}); "
                "`pip install onnxruntime-gpu` in place of onnxruntime brings CUDA"
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self.session = onnxruntime.InferenceSession(content, options, providers=[provider])
        except Exception as error:  # its exceptions have no common class of their own
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UserError(f"{self.source}: ONNX Runtime cannot load it ({reason})") from error
        if provider not in self.session.get_providers():
            raise UserError(f"{self.source}: ONNX Runtime could not start {provider}")
        self.inputs = {one.name: tuple(one.shape) for one in self.session.get_inputs()}
        self.outputs = {one.name: tuple(one.shape) for one in self.session.get_outputs()}
        properties = self.session.get_modelmeta().custom_metadata_map
        self.about: dict[str, Any] = json.loads(properties.get(METADATA, "{}"))

    @property
    def batch(self) -> int | None:
        """Fixed batch, or None where it is dynamic."""
        first = next(iter(self.inputs.values()))[0]
        return first if isinstance(first, int) else None

    def __call__(self, **arrays: np.ndarray) -> dict[str, np.ndarray]:
        """Runs it once."""
        return dict(zip(self.outputs, self.session.run(None, arrays), strict=True))

    def run_crops(self, crops: Float32[np.ndarray, "b s s 3"]) -> dict[str, np.ndarray]:
        """Runs any number of crops, in runs of the file's batch."""
        step = self.batch or _MOST
        images = np.ascontiguousarray(crops.transpose(0, 3, 1, 2))  # b s s 3 -> b 3 s s
        found: list[dict[str, np.ndarray]] = []
        for start in range(0, max(len(images), 1), step):
            part = images[start : start + step]
            count = len(part)
            if self.batch and count < step:
                part = np.concatenate([part, np.zeros((step - count, *part.shape[1:]), part.dtype)])
            if len(part):
                found.append({name: one[:count] for name, one in self(**{INPUT: part}).items()})
        if not found:
            return {
                name: np.zeros((0, *shape[1:]), np.float32) for name, shape in self.outputs.items()
            }
        return {name: np.concatenate([part[name] for part in found]) for name in self.outputs}


class OnnxRunner:
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
            name: What to call the network; without it, what the file says.
            topology: Its landmark scheme; without it, what the file says.
            threads: Threads of one run; 0 takes as many as the machine has.
            device: Where it runs.

        Raises:
            UserError: As for `OnnxFile`; or the file is no landmark network of this package, or of
                another topology.
        """
        self.file = OnnxFile(source, threads, device)
        image = self.file.inputs.get(INPUT, ())
        if len(image) != 4 or image[1] != 3 or set(self.file.outputs) != set(OUTPUTS):
            raise UserError(
                f"{self.file.source}: no exported landmark network (inputs "
                f"{', '.join(self.file.inputs)}; outputs {', '.join(self.file.outputs)})"
            )
        self.name = name or self.file.about.get("model", "onnx")
        self.input_size = int(image[2])
        scheme = topology or self.file.about.get("topology", "face478")
        self.topology = load(scheme)
        points = self.file.outputs[OUTPUTS[0]][1]
        if points != self.topology.points:
            raise UserError(
                f"{self.file.source}: predicts {points} landmarks, but topology {scheme} has "
                f"{self.topology.points}"
            )

    def __call__(self, crops: Float32[np.ndarray, "b s s 3"]) -> RunnerOutput:
        """Landmarks of RGB crops in [0, 1]."""
        found = self.file.run_crops(crops)
        return RunnerOutput(found["landmarks"], found["face_flag"])
