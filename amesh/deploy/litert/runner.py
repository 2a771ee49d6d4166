"""Runs exported TFLite files on the CPU with LiteRT's stock interpreter (XNNPACK)."""

from collections.abc import Callable, Mapping
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
from amesh.deploy.litert.flatbuffer import read_metadata
from amesh.deploy.litert.interpreter import open_interpreter
from amesh.deploy.signature import METADATA, NUMBERS, OUTPUTS, PLACES
from amesh.errors import UserError


class LitertFile(ExportedFile):
    """A TFLite file with one signature, ready to run: arrays in, arrays by output name out.

    An interpreter has only one set of tensors, so each call has one to itself: threads that call
    at the same time get an interpreter each, and later calls use them again.

    Attributes:
        places: In a file that leaves the landmarks' order to the host, where in its output
            `numbers` each of the landmarks' numbers is (n*3); otherwise None.
    """

    layout = "nhwc"

    def __init__(self, source: str | Path | bytes, threads: int = 1) -> None:
        """Loads a file; if it has a sidecar, the two must match.

        Args:
            source: Path or content.
            threads: Threads per run.

        Raises:
            UserError: LiteRT is not installed; or the file is missing or damaged, has operators
                that LiteRT does not know, or does not match its sidecar.
        """
        self.opened_with = (reopened(source), threads)
        self.source = "the TFLite model" if isinstance(source, bytes) else str(source)
        content = source if isinstance(source, bytes) else read_file(Path(source), "litert")
        self._content, self._threads = content, threads
        self.interpreter, run = self._open()
        self._idle = [run]
        self.inputs = _shapes(run.get_input_details())
        self.outputs = self.stored = _shapes(run.get_output_details())
        self.size = len(content)
        about = read_about(read_metadata(content, METADATA) or b"{}", self.source)
        places = about.pop(PLACES, None)
        self.places = None if places is None else np.array(places)
        self.about = about
        if self.places is not None:
            batch, rest = self.stored[NUMBERS][0], dict(self.stored)
            del rest[NUMBERS]
            self.outputs = {OUTPUTS[0]: (batch, len(self.places) // 3, 3), **rest}

    def __call__(self, **arrays: np.ndarray) -> dict[str, np.ndarray]:
        """Runs the file once.

        Raises:
            UserError: LiteRT fails.
        """
        try:  # no lock: lists append and pop in one step
            run = self._idle.pop()
        except IndexError:
            _, run = self._open()
        try:
            results: dict[str, np.ndarray] = run(**arrays)
        except (ValueError, RuntimeError) as error:
            raise UserError(f"{self.source}: LiteRT cannot run it ({_reason(error)})") from error
        finally:
            self._idle.append(run)
        if self.places is not None:
            numbers = results.pop(NUMBERS)
            results[OUTPUTS[0]] = numbers[:, self.places].reshape(len(numbers), -1, 3)
        return results

    def _open(self) -> tuple[Any, Any]:
        """Another interpreter, and the function that runs it, which keeps it alive."""
        try:
            interpreter = open_interpreter(self._content, self._threads)
            return interpreter, interpreter.get_signature_runner()
        except (ValueError, RuntimeError) as error:
            raise UserError(f"{self.source}: LiteRT cannot load it ({_reason(error)})") from error

    def operators(self) -> list[str]:
        """Names of the file's operators, in order, including delegated ones."""
        details = self.interpreter._get_ops_details()
        return [str(one["op_name"]) for one in details if one["op_name"] != "DELEGATE"]


class LitertRunner(FileRunner):
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
            name: Name of the network; by default the one in the file.
            topology: Landmark scheme; by default the one in the file.
            threads: Threads per run.

        Raises:
            UserError: As for `LitertFile` and `amesh.deploy.exported_file.FileRunner`.
        """
        super().__init__(LitertFile(source, threads), name, topology)


def open_detector(source: str | Path | bytes, threads: int = 1) -> FileDetector:
    """Opens an exported face detector.

    Args:
        source: Path or content of the file.
        threads: Threads per run.

    Raises:
        UserError: As for `LitertFile`, or the file is no face detector.
    """
    return FileDetector(LitertFile(source, threads))


def timed_call(content: bytes, threads: int) -> Callable[[], None]:
    """Prepares one call of any TFLite file, with its input ready, for `amesh benchmark` to time.

    Raises:
        UserError: LiteRT is not installed.
    """
    interpreter = open_interpreter(content, threads)
    detail = interpreter.get_input_details()[0]
    image = np.random.default_rng(0).random(tuple(detail["shape"]), np.float32)

    def call() -> None:
        # Like an app on a phone: write into the input's own memory, then run.
        interpreter.set_tensor(detail["index"], image)
        interpreter.invoke()

    return call


def _shapes(details: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(int(n) for n in one["shape"]) for name, one in details.items()}


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
