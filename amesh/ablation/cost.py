"""The cost of networks: parameters, operations and time."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32

from amesh.benchmark.latency import Setting, measure
from amesh.runner import TorchRunner
from amesh.weights.info import macs_by_part, parameters_by_part

ROUNDS = 100  # each times every network once
_ONCE = Setting("torch", "fp32", threads=1, batch=1)


@dataclass(frozen=True)
class Cost:
    """The cost of a variant's network.

    Attributes:
        variant: Name of the variant.
        parameters: Number of trained parameters.
        macs: Multiply-accumulates per face.
        time: Time of one face in PyTorch on one thread, median over interleaved rounds [ms].
    """

    variant: str
    parameters: int
    macs: int
    time: float


def costs(variants: Mapping[str, Path], rounds: int = ROUNDS) -> list[Cost]:
    """Measures size, operations and time.

    Args:
        variants: A weights file of each variant.
        rounds: Number of calls of each network, interleaved with the others.
    """
    runners = {name: TorchRunner.open(file) for name, file in variants.items()}
    crops = {name: _crop(runner.input_size) for name, runner in runners.items()}
    calls = {(name, _ONCE): partial(runners[name], crops[name]) for name in variants}
    before = torch.get_num_threads()
    torch.set_num_threads(_ONCE.threads)
    try:
        times = {timing.name: timing.median for timing in measure(calls, rounds)}
    finally:
        torch.set_num_threads(before)
    found = []
    for name, runner in runners.items():
        image = torch.from_numpy(crops[name]).permute(0, 3, 1, 2)  # 1 s s 3 -> 1 3 s s
        macs = sum(macs_by_part(runner.net, image).values())
        parameters = sum(parameters_by_part(runner.net).values())
        found.append(Cost(name, parameters, macs, times[name]))
    return found


def _crop(size: int) -> Float32[np.ndarray, "1 s s 3"]:
    return np.random.default_rng(0).random((1, size, size, 3), np.float32)
