"""How long an engine takes: CUDA events around replayed graphs, medians and spread."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from amesh.deploy.tensorrt_runner import TensorRTRunner


@dataclass(frozen=True)
class Timing:
    """How long a batch takes.

    Attributes:
        batch: Crops at once.
        median: The engine alone, by CUDA events [ms].
        low: 10th percentile [ms].
        high: 90th percentile [ms].
        with_copies: Median with crops from and landmarks to the host, by the clock [ms].
        crops_per_second: From the median of the engine alone.
    """

    batch: int
    median: float
    low: float
    high: float
    with_copies: float
    crops_per_second: float


def benchmark(
    runner: TensorRTRunner, batches: Sequence[int], repeats: int = 200, warm_up: int = 50
) -> list[Timing]:
    """Times an engine for several batches.

    Args:
        runner: The engine.
        batches: Crops at once; each within the profiles.
        repeats: Timed runs per batch.
        warm_up: Runs before them: clocks rise, caches fill.
    """
    timings = []
    rng = np.random.default_rng(0)
    for batch in batches:
        crops = rng.random((batch, runner.input_size, runner.input_size, 3), np.float32)
        for _ in range(warm_up):
            runner.run(crops)
        prepared = runner.prepare(batch)
        alone = []
        with torch.cuda.stream(runner.stream):
            for _ in range(repeats):
                start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
                start.record(runner.stream)
                runner.launch(prepared)
                end.record(runner.stream)
                end.synchronize()
                alone.append(start.elapsed_time(end))
        whole = []
        for _ in range(repeats):
            begin = time.perf_counter()
            runner.run(crops)
            whole.append(1e3 * (time.perf_counter() - begin))
        timings.append(summarise(batch, alone, whole))
    return timings


def summarise(batch: int, alone: Sequence[float], whole: Sequence[float]) -> Timing:
    """Median and spread of runs [ms]."""
    median = statistics.median(alone)
    tenths = statistics.quantiles(alone, n=10, method="inclusive")
    return Timing(
        batch, median, tenths[0], tenths[-1], statistics.median(whole), 1e3 * batch / median
    )
