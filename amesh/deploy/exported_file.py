"""What exported files of all runtimes share: reading, batching, landmarks from the outputs."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from amesh.deploy import sidecar
from amesh.deploy.signature import (
    BYTES,
    DETECTOR_OUTPUTS,
    EXPECTED_ERROR,
    INPUT,
    NORMALISATION,
    OUTPUTS,
    Layout,
    Shapes,
    check_detector,
    check_landmark_network,
    check_points,
)
from amesh.detector_runner import DetectorAnswer
from amesh.errors import UserError
from amesh.json_lines import parse
from amesh.runner import RunnerOutput, check_crops

# Most crops per run for a dynamic batch: bounds the memory that a crowd takes.
_LARGEST = 16


class ExportedFile(ABC):
    """An exported file ready to run: arrays in, arrays by output name out.

    It may be called from several threads. Copying or unpickling it opens the file again, so the
    file must still exist.

    Attributes:
        source: Name of the file in error messages.
        opened_with: Arguments that open it again.
        inputs: Shapes by name.
        outputs: Shapes by name.
        stored: Shapes of the outputs in the file itself; `outputs` has others if the runner
            reorders them.
        dtypes: Types of the inputs that are not float32, by name.
        layout: Order of the image's axes.
        size: Bytes of the file, with those beside it.
        about: Metadata from its exporter; empty for files that amesh did not write.
    """

    source: str
    opened_with: tuple[Any, ...]
    inputs: Shapes
    outputs: Shapes
    stored: Shapes
    dtypes: Mapping[str, str] = MappingProxyType({})
    layout: Layout
    size: int
    about: Mapping[str, str]

    @abstractmethod
    def __call__(self, **arrays: np.ndarray) -> dict[str, np.ndarray]:
        """Runs the file once."""

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), self.opened_with

    @property
    def byte_input(self) -> bool:
        """Whether it takes crops as bytes, RGB from 0 to 255, instead of numbers in [0, 1]."""
        return INPUT in self.dtypes

    @property
    def normalisation(self) -> str:
        """Value range of its pictures."""
        return BYTES if self.dtypes else NORMALISATION

    @property
    def batch(self) -> int | None:
        """Fixed batch, or None if it is dynamic."""
        first = next(iter(self.inputs.values()))[0]
        return first if isinstance(first, int) else None

    def timed_call(self) -> Callable[[], object]:
        """One call with its input ready, for `amesh benchmark` to time; the batch must be fixed."""
        image = np.random.default_rng(0).random(self.inputs[INPUT], np.float32)
        return lambda: self(**{INPUT: image})

    def run_crops(self, crops: Float32[np.ndarray, "b s s 3"]) -> dict[str, np.ndarray]:
        """Runs any number of crops, in batches that the file supports.

        Raises:
            UserError: As for `amesh.runner.check_crops`.
        """
        check_crops(crops, self.inputs[INPUT][2], self.source)
        images: np.ndarray = to_bytes(crops) if self.byte_input else crops
        if self.layout == "nchw":
            images = np.ascontiguousarray(images.transpose(0, 3, 1, 2))  # b s s 3 -> b 3 s s
        found = in_batches(
            lambda batch: self(**{INPUT: batch}),
            images,
            smallest=self.batch or 1,
            largest=self.batch or _LARGEST,
            outputs=self.outputs,
        )
        return broken_as_nan(found, crops) if self.byte_input else found


class FileRunner:
    """An exported landmark network as `amesh.runner.Runner`."""

    def __init__(self, file: ExportedFile, name: str = "", topology: str = "") -> None:
        """Wraps an open file.

        Args:
            file: The open file.
            name: Name of the network; by default the one in the file, or the file's own.
            topology: Landmark scheme; by default the one in the file.

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
        """Predicts the landmarks of RGB crops in [0, 1].

        Raises:
            UserError: As for `amesh.runner.check_crops`.
        """
        return runner_output(self.file.run_crops(crops))


class FileDetector:
    """An exported face detector as `amesh.detector_runner.DetectorRunner`."""

    def __init__(self, file: ExportedFile) -> None:
        """Wraps an open file.

        Raises:
            UserError: The file is not a face detector of this package.
        """
        self.file = file
        self.config = check_detector(file.source, file.inputs, file.outputs, file.layout)

    def __call__(self, square: UInt8[np.ndarray, "s s 3"]) -> DetectorAnswer:
        """Searches an RGB picture of the network's input size."""
        found = self.file.run_crops(square[None] * np.float32(1 / 255))
        return DetectorAnswer(*(found[name][0] for name in DETECTOR_OUTPUTS))


def runner_output(found: Mapping[str, np.ndarray]) -> RunnerOutput:
    """A landmark network's outputs, found by name."""
    landmarks, face_flag = (found[name] for name in OUTPUTS)
    return RunnerOutput(landmarks, face_flag, found.get(EXPECTED_ERROR))


def reopened(source: str | Path | bytes) -> Path | bytes:
    """Makes a path absolute, so that it also works from another process's working folder."""
    return source if isinstance(source, bytes) else Path(source).absolute()


def read_file(path: Path, format: str) -> bytes:
    """Reads an exported file; if it has a sidecar, the two must match.

    Args:
        path: The file.
        format: Name of its format in `amesh.deploy.formats`.

    Raises:
        UserError: The file is missing, or does not match its sidecar.
    """
    if not path.is_file():
        raise UserError(f"no file {path}; `amesh export {format}` writes one")
    content = path.read_bytes()
    if sidecar.sidecar_file(path).is_file():
        sidecar.check(sidecar.read_unchecked(path), content, path)
    return content


def read_about(text: str | bytes, source: str) -> dict[str, Any]:
    """Reads what an exporter wrote into a file's metadata.

    Args:
        text: JSON.
        source: Name of the file in error messages.

    Raises:
        UserError: It is no JSON, or no facts by name.
    """
    content = text.encode() if isinstance(text, str) else text
    return parse(content, dict, f"{source}: its metadata")


def to_bytes(crops: Float32[np.ndarray, "b s s 3"]) -> UInt8[np.ndarray, "b s s 3"]:
    """Rounds crops in [0, 1] to bytes; NaN, which bytes cannot hold, becomes black."""
    rounded: np.ndarray = np.rint(np.nan_to_num(np.clip(crops, 0, 1)) * 255).astype(np.uint8)
    return rounded


def broken_as_nan(
    outputs: Mapping[str, np.ndarray], crops: Float32[np.ndarray, "b s s 3"]
) -> dict[str, np.ndarray]:
    """Makes the outputs of crops with NaN NaN, which bytes cannot carry through a network."""
    broken = np.isnan(crops).any((1, 2, 3))
    if not broken.any():
        return dict(outputs)
    kept = {name: ~broken.reshape(-1, *(1,) * (found.ndim - 1)) for name, found in outputs.items()}
    return {name: np.where(kept[name], found, np.float32("nan")) for name, found in outputs.items()}


def in_batches(
    run: Callable[[np.ndarray], Mapping[str, np.ndarray]],
    images: np.ndarray,
    smallest: int,
    largest: int,
    outputs: Shapes,
) -> dict[str, np.ndarray]:
    """Runs any number of images through a function that supports limited batch sizes.

    Args:
        run: Runs one batch.
        images: The images; if the last batch is too small, it is padded with zeros.
        smallest: Minimum batch size.
        largest: Maximum batch size.
        outputs: Shapes by name, used if there are no images.
    """
    found = []
    for start in range(0, len(images), largest):
        batch = images[start : start + largest]
        missing = max(0, smallest - len(batch))
        padding = np.zeros((missing, *images.shape[1:]), images.dtype)
        results = run(np.concatenate([batch, padding]) if missing else batch)
        found.append({name: result[: len(batch)] for name, result in results.items()})
    if len(found) == 1:
        return found[0]
    if not found:
        return {name: np.zeros((0, *shape[1:]), np.float32) for name, shape in outputs.items()}
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}
