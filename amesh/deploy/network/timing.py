"""Prepares a PyTorch network for timing."""

from collections.abc import Callable

import torch
from torch import nn

from amesh.deploy import parity
from amesh.deploy.request import Request


def timed_call(request: Request, threads: int) -> Callable[[], object]:
    """Prepares one PyTorch call, with its input ready, for `amesh benchmark` to time.

    Args:
        request: The network to run, in single precision.
        threads: Threads per call.
    """
    net: nn.Module = request.target
    size = parity.input_size(net)
    image = torch.rand(request.batch or 1, 3, size, size)
    image = image.contiguous(memory_format=torch.channels_last)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def call() -> object:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            return net(image)

    return call
