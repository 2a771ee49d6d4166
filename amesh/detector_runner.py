"""The interface of a face detector on any runtime, and its PyTorch implementation."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, UInt8

from amesh.blazeface.config import DetectorConfig
from amesh.errors import UserError
from amesh.torch_threads import torch_threads

if TYPE_CHECKING:
    from torch import nn


class DetectorAnswer(NamedTuple):
    """A detector's raw output for one picture; `amesh.pipeline.decoding` makes faces of it.

    Attributes:
        boxes: Centre relative to the anchor, size, and six keypoints relative to the anchor
            [input px].
        scores: Logits.
    """

    boxes: Float32[np.ndarray, "anchors 16"]
    scores: Float32[np.ndarray, " anchors"]


@runtime_checkable
class DetectorRunner(Protocol):
    """A face detector on any runtime, safe to call from several threads.

    Attributes:
        config: Which detector it is.
    """

    config: DetectorConfig

    def __call__(self, square: UInt8[np.ndarray, "s s 3"]) -> DetectorAnswer:
        """Searches an RGB picture of the network's input size."""
        ...


class TorchDetector:
    """Runs a detector of `amesh.blazeface` in PyTorch on the CPU."""

    def __init__(self, net: "nn.Module", threads: int = 1) -> None:
        """Takes over a network.

        Args:
            net: The network; its `config` says which detector it is.
            threads: Threads per run; 0 leaves PyTorch's setting alone.

        Raises:
            UserError: The network is no face detector.
        """
        import torch

        config = getattr(net, "config", None)
        if not isinstance(config, DetectorConfig):
            raise UserError(f"{type(net).__name__} is not a face detector")
        self.config = config
        self.threads = threads
        # Pictures arrive channels-last; weights in the same layout are a fifth faster on a CPU.
        self.net = net.eval()
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @classmethod
    def open(cls, name_or_path: str | Path, threads: int = 1) -> "TorchDetector":
        """Opens installed weights by name, or a weights file."""
        from amesh.weights import store

        return cls(store.load(name_or_path), threads)

    def __call__(self, square: UInt8[np.ndarray, "s s 3"]) -> DetectorAnswer:
        """Searches an RGB picture of the network's input size."""
        import torch

        image = torch.from_numpy(square).permute(2, 0, 1)[None].float() / 255  # s s 3 -> 1 3 s s
        with torch.inference_mode(), torch_threads(self.threads):
            output = self.net(image)
        return DetectorAnswer(output.boxes[0].numpy(), output.scores[0].numpy())
