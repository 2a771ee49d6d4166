"""Runs exported TFLite files on the CPU with LiteRT's stock interpreter (XNNPACK)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from amesh.deploy import sidecar
from amesh.deploy.litert.flatbuffer import read_metadata
from amesh.deploy.litert.interpreter import open_interpreter
from amesh.deploy.signature import INPUT, METADATA, OUTPUTS
from amesh.errors import UserError
from amesh.runner import RunnerOutput
from amesh.topology import load


class LitertFile:
    """A TFLite file with one signature, ready to run: arrays in, arrays by output name out.

    Attributes:
        shapes: Shapes of the inputs by name.
        output_shapes: Shapes of the outputs by name.
        about: What its exporter wrote into it; empty for a file of another origin.
    """

    def __init__(self, source: str | Path | bytes, threads: int = 1) -> None:
        """Loads a file; a sidecar beside it has to match.

        Args:
            source: Path or content.
            threads: Threads of one run.

        Raises:
            UserError: LiteRT is not installed; or the file is missing or damaged, has operators
                that LiteRT does not know, or does not match its sidecar.
        """
        self.source = "the TFLite model" if isinstance(source, bytes) else str(source)
        content = source if isinstance(source, bytes) else _read(Path(source))
        try:
            self.interpreter = open_interpreter(content, threads)
            self.run = self.interpreter.get_signature_runner()
        except (ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UserError(f"{self.source}: LiteRT cannot load it ({reason})") from error
        self.shapes = _shapes(self.run.get_input_details())
        self.output_shapes = _shapes(self.run.get_output_details())
        self.about: dict[str, str] = json.loads(read_metadata(content, METADATA) or b"{}")

    def __call__(self, **arrays: np.ndarray) -> dict[str, np.ndarray]:
        """Runs it once."""
        results: dict[str, np.ndarray] = self.run(**arrays)
        return results

    def run_crops(self, crops: Float32[np.ndarray, "b s s 3"]) -> dict[str, np.ndarray]:
        """Runs any number of crops, in runs of the file's batch."""
        step, count = self.shapes[INPUT][0], len(crops)
        padded = np.concatenate([crops, np.zeros((-count % step, *crops.shape[1:]), crops.dtype)])
        found = [self(**{INPUT: padded[i : i + step]}) for i in range(0, count, step)]
        if not found:
            shapes = self.output_shapes.items()
            return {name: np.zeros((0, *shape[1:]), np.float32) for name, shape in shapes}
        return {
            name: np.concatenate([part[name] for part in found])[:count]
            for name in self.output_shapes
        }

    def operators(self) -> list[str]:
        """Names of the file's operators, in order, whoever runs them."""
        details = self.interpreter._get_ops_details()
        return [str(one["op_name"]) for one in details if one["op_name"] != "DELEGATE"]


class LitertRunner:
    """An exported landmark network as `amesh.runner.Runner`."""

    def __init__(
        self,
        source: str | Path | bytes,
        *,
        name: str = "",
        topology: str = "",
        threads: int = 1,
    ) -> None:
        """Loads an exported network.

        Args:
            source: Path or content of the file.
            name: What to call the network; without it, what the file says.
            topology: Its landmark scheme; without it, what the file says.
            threads: Threads of one run.

        Raises:
            UserError: As for `LitertFile`; or the file is no landmark network of this package, or
                of another topology.
        """
        self.file = LitertFile(source, threads)
        image = self.file.shapes.get(INPUT, ())
        outputs = self.file.output_shapes
        if len(image) != 4 or image[3] != 3 or set(outputs) != set(OUTPUTS):
            raise UserError(
                f"{self.file.source}: no exported landmark network (inputs "
                f"{', '.join(self.file.shapes)}; outputs {', '.join(outputs)})"
            )
        self.name = name or self.file.about.get("model", "litert")
        self.input_size = image[1]
        scheme = topology or self.file.about.get("topology", "face478")
        self.topology = load(scheme)
        if outputs["landmarks"][1:] != (self.topology.points, 3):
            raise UserError(
                f"{self.file.source}: landmarks have shape {outputs['landmarks']}, topology "
                f"{scheme} wants {self.topology.points} x 3"
            )

    def __call__(self, crops: Float32[np.ndarray, "b s s 3"]) -> RunnerOutput:
        """Landmarks of RGB crops in [0, 1]."""
        found = self.file.run_crops(crops)
        return RunnerOutput(found["landmarks"], found["face_flag"])


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise UserError(f"no TFLite file {path}; `amesh export litert` writes one")
    if sidecar.sidecar_file(path).is_file():
        sidecar.read(path)
    return path.read_bytes()


def _shapes(details: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(int(n) for n in one["shape"]) for name, one in details.items()}
