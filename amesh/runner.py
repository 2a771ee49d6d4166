"""The runner interface (crops in, landmarks out) and its PyTorch implementation."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32

from amesh.errors import UserError
from amesh.nn.network_config import NetworkConfig
from amesh.topology import Topology, load
from amesh.torch_threads import torch_threads
from amesh.weights import store

if TYPE_CHECKING:
    from torch import nn


class RunnerOutput(NamedTuple):
    """Landmarks of a batch of crops.

    Attributes:
        landmarks: All landmarks [crop px]; z in the same unit.
        face_flag: Logit that the crop shows a face.
        expected_error: Distance of each landmark in x and y from its true place that the network
            expects [crop px]; None from a network that does not predict it.
    """

    landmarks: Float32[np.ndarray, "b n 3"]
    face_flag: Float32[np.ndarray, " b"]
    expected_error: Float32[np.ndarray, "b n"] | None = None


def confidence(face_flag: Float[np.ndarray, " b"]) -> Float[np.ndarray, " b"]:
    """Confidence that crops show a face, from 0 to 1: the sigmoid of the face flags' logits."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * face_flag)))  # this form cannot overflow


@runtime_checkable
class Runner(Protocol):
    """A landmark network on any runtime, safe to call from several threads.

    Attributes:
        name: Name of the network.
        input_size: Side of the network's input [px].
        topology: Landmark scheme of its output.
    """

    name: str
    input_size: int
    topology: Topology

    def __call__(self, crops: Float32[np.ndarray, "b s s 3"]) -> RunnerOutput:
        """Predicts the landmarks of RGB crops in [0, 1].

        A crop that contains NaN gets NaN landmarks and errors; the other crops are unaffected.

        Raises:
            UserError: As for `check_crops`.
        """
        ...


def check_crops(crops: np.ndarray, size: int, name: str) -> None:
    """Checks the shape and type of a runner's input.

    Without the check, a runtime may silently resize its graph or broadcast a single pixel, and
    return landmarks that are slightly wrong.

    Args:
        crops: The runner's argument.
        size: Side of the network's input [px].
        name: Name of the network in error messages.

    Raises:
        UserError: `crops` is not a float32 array of shape (b, size, size, 3).
    """
    expected = (size, size, 3)
    if crops.dtype != np.float32 or crops.ndim != 4 or crops.shape[1:] != expected:
        raise UserError(
            f"{name} takes crops of shape (b, {size}, {size}, 3) in float32, from 0 to 1; "
            f"found {crops.shape} in {crops.dtype}"
        )


def predicts_errors(runner: Runner) -> bool:
    """Whether a network predicts the errors of its landmarks; it is run on a black crop."""
    crop = np.zeros((1, runner.input_size, runner.input_size, 3), np.float32)
    return runner(crop).expected_error is not None


class TorchRunner:
    """Runs one of this package's networks in PyTorch, on one device."""

    def __init__(self, net: "nn.Module", device: str = "cpu", threads: int = 0) -> None:
        """Wraps a network; its `config` defines the expected input.

        Args:
            net: The network.
            device: Device to run on.
            threads: Threads per run on the CPU; 0 leaves PyTorch's setting alone.

        Raises:
            UserError: The network does not predict landmarks.
        """
        import torch

        config = getattr(net, "config", None)
        if not isinstance(config, NetworkConfig):
            raise UserError(f"{type(net).__name__} is not a landmark network")
        self.name = config.name
        self.input_size = config.input_size
        self.topology = load(config.topology)
        self.device = torch.device(device)
        self.threads = threads
        # Crops arrive channels-last; weights in the same layout are a fifth faster on a CPU.
        self.net = net.eval().to(self.device)
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @classmethod
    def open(cls, name_or_path: str | Path, device: str = "cpu", threads: int = 0) -> "TorchRunner":
        """Opens installed weights by name, or a weights file."""
        return cls(store.load(name_or_path), device, threads)

    def __call__(self, crops: Float32[np.ndarray, "b s s 3"]) -> RunnerOutput:
        """Predicts the landmarks of RGB crops in [0, 1].

        Raises:
            UserError: As for `check_crops`.
        """
        import torch

        check_crops(crops, self.input_size, self.name)
        images = torch.from_numpy(crops).permute(0, 3, 1, 2).to(self.device)  # b s s 3 -> b 3 s s
        with torch.inference_mode(), torch_threads(self.threads):
            output = self.net(images)
        errors = output.expected_error
        return RunnerOutput(
            output.landmarks.cpu().numpy(),
            output.face_flag.cpu().numpy(),
            None if errors is None else errors.cpu().numpy(),
        )
