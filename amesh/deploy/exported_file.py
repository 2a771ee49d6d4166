"""What files of all runtimes share: reading, runs of a fixed batch, landmarks out of outputs."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from amesh.deploy import sidecar
from amesh.deploy.signature import (
    INPUT,
    OUTPUTS,
    Layout,
    Shapes,
    check_landmark_network,
    check_points,
)
from amesh.errors import UserError
from amesh.runner import RunnerOutput, check_crops

# Crops that a file of dynamic batch gets together: bounds the memory that a crowd takes.
_LARGEST = 16


class ExportedFile(ABC):
    """An exported file ready to run: arrays in, arrays by output name out.

    Several threads may call it. A copy, in this process or, by pickle, in another one, opens the
    file again; it has to be there.

    Attributes:
        source: What messages call the file.
        opened_with: Arguments that open it again.
        inputs: Shapes by name.
        outputs: Shapes by name.
        layout: Order of the image's axes.
        about: What its exporter wrote into it; empty for a file of another origin.
    """

    source: str
    opened_with: tuple[Any, ...]
    inputs: Shapes
    outputs: Shapes
    layout: Layout
    about: Mapping[str, str]

    @abstractmethod
    def __call__(self, **arrays: np.ndarray) -> dict[str, np.ndarray]:
        """Runs it once."""

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), self.opened_with

    @property
    def batch(self) -> int | None:
        """Fixed batch, or None if it is dynamic."""
        first = next(iter(self.inputs.values()))[0]
        return first if isinstance(first, int) else None

    def run_crops(self, crops: Float32[np.ndarray, "b s s 3"]) -> dict[str, np.ndarray]:
        """Runs any number of crops, in runs of the file's batch.

        Raises:
            UserError: As for `amesh.runner.check_crops`.
        """
        check_crops(crops, self.inputs[INPUT][2], self.source)
        if self.layout == "nchw":
            crops = np.ascontiguousarray(crops.transpose(0, 3, 1, 2))  # b s s 3 -> b 3 s s
        return in_batches(
            lambda images: self(**{INPUT: images}),
            crops,
            smallest=self.batch or 1,
            largest=self.batch or _LARGEST,
            outputs=self.outputs,
        )


class FileRunner:
    """An exported landmark network as `amesh.runner.Runner`."""

    def __init__(self, file: ExportedFile, name: str = "", topology: str = "") -> None:
        """Takes over an open file.

        Args:
            file: The file.
            name: What to call the network; by default, what the file says, or its name.
            topology: Its landmark scheme; by default, what the file says.

        Raises:
            UserError: The file is not a landmark network of this package, or its landmarks are not
                those of the topology.
        """
        self.file = file
        self.input_size = check_landmark_network(
            file.source, file.inputs, file.outputs, file.layout
        )
        self.name = name or file.about.get("model", Path(file.source).stem)
        scheme = topology or file.about.get("topology", "face478")
        self.topology = check_points(file.source, file.outputs, scheme)

    def __call__(self, crops: Float32[np.ndarray, "b s s 3"]) -> RunnerOutput:
        """Landmarks of RGB crops in [0, 1].

        Raises:
            UserError: As for `amesh.runner.check_crops`.
        """
        found = self.file.run_crops(crops)
        return RunnerOutput(*(found[name] for name in OUTPUTS))


def reopened(source: str | Path | bytes) -> Path | bytes:
    """A source that names the same file in another process, whatever folder that works in."""
    return source if isinstance(source, bytes) else Path(source).absolute()


def read_file(path: Path, format: str) -> bytes:
    """Content of an exported file; a sidecar beside it has to match.

    Args:
        path: The file.
        format: Its name in `amesh.deploy.formats`.

    Raises:
        UserError: The file is missing, or does not match its sidecar.
    """
    if not path.is_file():
        raise UserError(f"no file {path}; `amesh export {format}` writes one")
    content = path.read_bytes()
    if sidecar.sidecar_file(path).is_file():
        sidecar.check(sidecar.read_unchecked(path), content, path)
    return content


def in_batches(
    run: Callable[[np.ndarray], Mapping[str, np.ndarray]],
    images: np.ndarray,
    smallest: int,
    largest: int,
    outputs: Shapes,
) -> dict[str, np.ndarray]:
    """Outputs of any number of images through something that takes only some batches.

    Args:
        run: Takes a batch.
        images: The images; a last batch that is too small is padded with zeros.
        smallest: Images in a batch, at least.
        largest: Images in a batch, at most.
        outputs: Shapes by name, for no images at all.
    """
    found = []
    for start in range(0, len(images), largest):
        batch = images[start : start + largest]
        missing = max(0, smallest - len(batch))
        padding = np.zeros((missing, *images.shape[1:]), images.dtype)
        results = run(np.concatenate([batch, padding]) if missing else batch)
        found.append({name: result[: len(batch)] for name, result in results.items()})
    if not found:
        return {name: np.zeros((0, *shape[1:]), np.float32) for name, shape in outputs.items()}
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}
