"""Runs an engine: fixed addresses, one context and one CUDA graph per batch size.

Only some sizes are run: 1, 2, 4, 8 and so on. Other numbers of crops are filled up to the next one.
"""

import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from amesh.deploy.exported_file import broken_as_nan, in_batches, runner_output, to_bytes
from amesh.deploy.signature import INPUT
from amesh.deploy.tensorrt.library import Batches, profiles
from amesh.errors import UserError
from amesh.runner import RunnerOutput, check_crops
from amesh.topology import load

if TYPE_CHECKING:
    import tensorrt as trt


@dataclass
class Prepared:
    """Everything that one batch size needs, at fixed addresses.

    Attributes:
        context: Separate for each batch size, because a captured graph is tied to its shapes.
        image: Input on the GPU.
        outputs: Outputs on the GPU by name.
        graph: The captured launch, if graphs are enabled.
    """

    context: "trt.IExecutionContext"
    image: Tensor
    outputs: dict[str, Tensor]
    graph: torch.cuda.CUDAGraph | None = None


def choose_profile(batch: int, ranges: Sequence[Batches]) -> int:
    """Chooses the narrowest profile that contains a batch, so that batch 1 gets its own.

    Raises:
        UserError: No profile contains the batch.
    """
    fitting = [
        (r.largest - r.smallest, i)
        for i, r in enumerate(ranges)
        if r.smallest <= batch <= r.largest
    ]
    if not fitting:
        have = " and ".join(
            f"{r.smallest} to {r.largest}" if r.smallest < r.largest else str(r.largest)
            for r in ranges
        )
        raise UserError(
            f"batch {batch} is outside the engine's profiles ({have}); split it, or build another "
            "engine with `amesh export tensorrt --batch MIN:OPT:MAX`"
        )
    return min(fitting)[1]


def padded(batch: int, ranges: Sequence[Batches]) -> int:
    """The size at which a batch is run: the next power of two, if the profiles allow it.

    So a video with a changing number of faces prepares few sizes. A batch that is too large for
    every profile stays as it is.
    """
    power = 1 << (batch - 1).bit_length() if batch > 0 else batch
    fitting = [r for r in ranges if 0 < batch <= r.largest]
    return min((min(max(power, r.smallest), r.largest) for r in fitting), default=batch)


class TensorRTRunner:
    """An engine as an `amesh.runner.Runner`, on one GPU.

    It may be called from several threads, which take turns: all sizes share one stream, and one
    block of scratch memory. To run side by side, open the engine once per thread. Other threads may
    use the GPU at any time, also while a graph is captured. An engine belongs to the process that
    opened it; other processes must open their own.
    """

    def __init__(
        self,
        engine: "trt.ICudaEngine",
        name: str,
        topology: str,
        cuda_graphs: bool = True,
        device: torch.device | None = None,
    ) -> None:
        """Wraps an engine; `amesh.deploy.tensorrt.export.open_engine` loads one from disk.

        Args:
            engine: The deserialised engine, with its weights.
            name: Name of the network.
            topology: Name of its landmark scheme.
            cuda_graphs: Replay a captured launch instead of launching each kernel.
            device: Where the engine was loaded; by default the current GPU.
        """
        self.engine = engine
        self.name = name
        self.topology = load(topology)
        self.input_size = int(engine.get_tensor_shape(INPUT)[2])  # in either layout
        import tensorrt as trt

        self.byte_input = engine.get_tensor_dtype(INPUT) == trt.DataType.UINT8
        self.profiles = profiles(engine)
        self.cuda_graphs = cuda_graphs
        self.device = device or torch.device("cuda", torch.cuda.current_device())
        # Graphs cannot be captured on the default stream.
        self.stream = torch.cuda.Stream(self.device)
        # Contexts that run one after the other can share it; each alone would take as much.
        self._scratch = torch.empty(
            max(1, int(engine.device_memory_size_v2)), dtype=torch.uint8, device=self.device
        )
        self._prepared: dict[int, Prepared] = {}
        self._turn = threading.Lock()

    def __reduce__(self) -> str:
        raise UserError(
            f"{self.name}: a TensorRT engine cannot be copied or sent to another process; "
            "open its file there"
        )

    def __call__(self, crops: Float32[np.ndarray, "b s s 3"]) -> RunnerOutput:
        """Predicts the landmarks of any number of RGB crops in [0, 1].

        Raises:
            UserError: As for `run_any`.
        """
        return runner_output(self.run_any(crops))

    @torch.inference_mode()
    def run(self, crops: Float32[np.ndarray, "b s s 3"]) -> dict[str, np.ndarray]:
        """Computes all outputs of one batch by name; those of a part of a cascade are no landmarks.

        Raises:
            UserError: The batch is outside the profiles, TensorRT fails, or as for
                `amesh.runner.check_crops`.
        """
        check_crops(crops, self.input_size, self.name)
        count = len(crops)
        with self._turn, torch.cuda.stream(self.stream):
            prepared = self.prepare(padded(count, self.profiles))
            # What lies in the other places is computed, too, and ignored.
            image = prepared.image[:count]
            if self.byte_input:
                image.copy_(torch.from_numpy(to_bytes(crops)))
            else:
                pixels = torch.from_numpy(crops).to(self.device)
                image.copy_(pixels.permute(0, 3, 1, 2))  # b s s 3 -> b 3 s s
            self.launch(prepared)
            # The copy waits for this stream, after which the buffers are free for the next batch.
            found = {
                name: tensor[:count].to("cpu", copy=True).numpy()
                for name, tensor in prepared.outputs.items()
            }
        return broken_as_nan(found, crops) if self.byte_input else found

    def run_any(self, crops: Float32[np.ndarray, "b s s 3"]) -> dict[str, np.ndarray]:
        """Computes all outputs of any number of crops, in batches that the engine supports.

        Raises:
            UserError: TensorRT fails, or as for `amesh.runner.check_crops`.
        """
        largest = max(one.largest for one in self.profiles)
        return in_batches(self.run, crops, 1, largest, outputs=self._shapes())

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the outputs by name."""
        names = map(self.engine.get_tensor_name, range(self.engine.num_io_tensors))
        return {n: tuple(self.engine.get_tensor_shape(n)[:]) for n in names if n != INPUT}

    def prepare(self, batch: int) -> Prepared:
        """Prepares context, buffers and graph for a batch size once, and keeps them.

        Raises:
            UserError: The batch is outside the profiles, or TensorRT fails.
        """
        if batch in self._prepared:
            return self._prepared[batch]
        import tensorrt as trt

        index = choose_profile(batch, self.profiles)
        context = self.engine.create_execution_context(
            trt.ExecutionContextAllocationStrategy.USER_MANAGED
        )
        context.set_device_memory(self._scratch.data_ptr(), self._scratch.numel())
        size = self.input_size
        with torch.cuda.stream(self.stream):
            done = context.set_optimization_profile_async(index, self.stream.cuda_stream)
            self.stream.synchronize()
            shape = (batch, size, size, 3) if self.byte_input else (batch, 3, size, size)
            if not done or not context.set_input_shape(INPUT, shape):
                raise UserError(f"TensorRT refuses batch {batch} in profile {index}")
            kind = torch.uint8 if self.byte_input else torch.float32
            image = torch.zeros(shape, dtype=kind, device=self.device)
            outputs = {}
            for i in range(self.engine.num_io_tensors):
                name = self.engine.get_tensor_name(i)
                if name != INPUT:
                    shape = tuple(context.get_tensor_shape(name)[:])
                    outputs[name] = torch.zeros(shape, device=self.device)
            for name, buffer in {INPUT: image, **outputs}.items():
                context.set_tensor_address(name, buffer.data_ptr())
            prepared = Prepared(context, image, outputs)
            if self.cuda_graphs:
                prepared.graph = self._capture(prepared)
        self._prepared[batch] = prepared
        return prepared

    def _capture(self, prepared: Prepared) -> torch.cuda.CUDAGraph:
        self.launch(prepared)  # the first run allocates, which a capture must not
        self.stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        # Other threads may keep using the GPU, which would break a global capture.
        with torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local"):
            self.launch(prepared)
        return graph

    def launch(self, prepared: Prepared) -> None:
        """Runs the engine on the buffers, in the runner's stream, without waiting.

        Raises:
            UserError: TensorRT fails.
        """
        if prepared.graph is not None:
            prepared.graph.replay()
        elif not prepared.context.execute_async_v3(self.stream.cuda_stream):
            raise UserError(f"TensorRT cannot run a batch of {len(prepared.image)}")


@dataclass(frozen=True)
class Timing:
    """Duration of a batch.

    Attributes:
        batch: Batch size [crops].
        median: Median of the engine alone, by CUDA events [ms].
        low: 10th percentile [ms].
        high: 90th percentile [ms].
        with_copies: Median including copies from and to the host, by the clock [ms].
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
    """Times an engine for several batch sizes.

    Args:
        runner: The engine.
        batches: Batch sizes [crops]; each must be within the profiles.
        repeats: Timed runs per batch size.
        warm_up: Untimed runs before them, for clocks and caches.
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
    """Computes median and spread of the runs [ms]."""
    median = statistics.median(alone)
    tenths = statistics.quantiles(alone, n=10, method="inclusive")
    return Timing(
        batch, median, tenths[0], tenths[-1], statistics.median(whole), 1e3 * batch / median
    )
