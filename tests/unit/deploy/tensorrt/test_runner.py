"""The runner on a GPU that is none: ONNX Runtime computes, at the addresses that were given."""

import contextlib
import copy
import ctypes
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from amesh.deploy.tensorrt.library import Batches
from amesh.deploy.tensorrt.runner import TensorRTRunner, benchmark
from amesh.errors import UserError

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="tests/gpu runs the real one")
GraphMaker = Callable[..., onnx.ModelProto]
SIZE = 64


class Capture(torch.cuda.CUDAGraph):
    """Stands in for a CUDA graph: remembers launches, runs them again."""

    def __new__(cls) -> "Capture":
        return object.__new__(cls)  # PyTorch's own needs CUDA

    def __init__(self) -> None:
        self.launches: list[Callable[[], None]] = []

    def replay(self) -> None:
        for launch in self.launches:
            launch()


class Context:
    """Stands in for an execution context: reads and writes memory by address only."""

    def __init__(self, gpu: SimpleNamespace) -> None:
        self.gpu = gpu
        self.shape: tuple[int, ...] = ()
        self.addresses: dict[str, int] = {}
        self.profile = 0
        self.runs = 0
        self.memory: tuple[int, int] = (0, 0)

    def set_device_memory(self, memory: int, size: int) -> None:
        self.memory = (memory, size)

    def set_optimization_profile_async(self, profile_index: int, stream_handle: int) -> bool:
        self.profile = profile_index
        return True

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.shape = shape
        return True

    def get_tensor_shape(self, name: str) -> Any:
        rest = {"landmarks": (478, 3), "face_flag": ()}[name]
        return (self.shape[0], *rest)

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self.addresses[name] = memory
        return True

    def execute_async_v3(self, stream_handle: int) -> bool:
        if self.gpu.capturing is not None:
            assert self.runs, "the first run allocates: it may not be captured"
            self.gpu.capturing.launches.append(self.compute)
        elif not self.gpu.broken:
            self.compute()
        return not self.gpu.broken

    def compute(self) -> None:
        assert self.memory[1] >= self.gpu.scratch, "the memory of this context was not given"
        self.runs += 1
        image = self.view("image", self.shape, self.gpu.kind)
        if image.dtype == np.uint8:
            image = np.ascontiguousarray(image.transpose(0, 3, 1, 2) / np.float32(255))
        for name, found in zip(
            self.gpu.names, self.gpu.session.run(self.gpu.names, {"image": image}), strict=True
        ):
            self.view(name, found.shape)[...] = found

    def view(self, name: str, shape: tuple[int, ...], kind: Any = ctypes.c_float) -> np.ndarray:
        array = kind * int(np.prod(shape))
        return np.ctypeslib.as_array(array.from_address(self.addresses[name])).reshape(shape)


@pytest.fixture
def gpu(small_graph: GraphMaker, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    session = onnxruntime.InferenceSession(
        small_graph(half=False).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    made = SimpleNamespace(
        session=session, names=["landmarks", "face_flag"], capturing=None, broken=False, contexts=[]
    )
    made.scratch, made.kind = 4096, ctypes.c_float

    @contextlib.contextmanager
    def capture(graph: Capture, stream: Any, capture_error_mode: str) -> Iterator[None]:
        assert capture_error_mode == "thread_local", "other threads use the GPU meanwhile"
        made.capturing = graph
        yield
        made.capturing = None

    stream = SimpleNamespace(cuda_stream=7, synchronize=lambda: None)
    monkeypatch.setattr(torch.cuda, "Stream", lambda _: stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Capture)
    monkeypatch.setattr(torch.cuda, "graph", capture)
    return made


@pytest.fixture
def engine(tensorrt: ModuleType, gpu: SimpleNamespace) -> Any:
    made = tensorrt.ICudaEngine(SIZE)
    rest = (3, SIZE, SIZE)
    tensorrt.built["profiles"] = [
        ("image", *((n, *rest) for n in (1, 4, 16))),
        ("image", *((n, *rest) for n in (1, 1, 1))),
    ]
    made.num_io_tensors = 3
    made.get_tensor_name = lambda i: ("image", "landmarks", "face_flag")[i]

    def context(strategy: Any) -> Context:
        assert strategy is tensorrt.ExecutionContextAllocationStrategy.USER_MANAGED
        gpu.contexts.append(Context(gpu))
        return gpu.contexts[-1]

    made.create_execution_context = context
    return made


@pytest.fixture
def crops() -> np.ndarray:
    return np.random.default_rng(3).random((12, SIZE, SIZE, 3), np.float32)


def runner(engine: Any, cuda_graphs: bool) -> TensorRTRunner:
    return TensorRTRunner(engine, "small", "face478", cuda_graphs, torch.device("cpu"))


@pytest.mark.parametrize("cuda_graphs", [False, True])
def test_crops_go_in_and_landmarks_come_out(
    engine: Any, gpu: SimpleNamespace, crops: np.ndarray, cuda_graphs: bool
):
    made = runner(engine, cuda_graphs)
    assert (made.input_size, made.topology.points) == (SIZE, 478)
    assert made.profiles == (Batches(1, 4, 16), Batches(1, 1, 1))
    for batch in (3, 1, 3, 12):
        found = made(crops[:batch])
        image = np.ascontiguousarray(crops[:batch].transpose(0, 3, 1, 2))
        landmarks, flag = gpu.session.run(gpu.names, {"image": image})
        np.testing.assert_array_equal(found.landmarks, landmarks)
        np.testing.assert_array_equal(found.face_flag, flag)
    # One context per size, each in the profile that suits it; a batch of 3 is run as one of 4.
    assert [(c.shape[0], c.profile) for c in gpu.contexts] == [(4, 0), (1, 1), (16, 0)]
    assert len({c.memory for c in gpu.contexts}) == 1  # they share it


def test_results_do_not_change_when_the_next_batch_runs(engine: Any, crops: np.ndarray):
    made = runner(engine, True)
    first = made(crops[:2])
    kept = first.landmarks.copy()
    made(crops[2:4])
    np.testing.assert_array_equal(first.landmarks, kept)


def test_bytes_go_in_where_the_engine_takes_bytes(
    engine: Any, tensorrt: ModuleType, gpu: SimpleNamespace, crops: np.ndarray
):
    float_names = engine.get_tensor_shape
    engine.get_tensor_dtype = lambda _: tensorrt.DataType.UINT8
    engine.get_tensor_shape = lambda name: (
        tensorrt.Dims([-1, SIZE, SIZE, 3]) if name == "image" else float_names(name)
    )
    gpu.kind = ctypes.c_uint8
    made = runner(engine, False)
    rounded = np.rint(crops[:3] * 255).astype(np.float32) / 255
    image = np.ascontiguousarray(rounded.transpose(0, 3, 1, 2))
    expected = gpu.session.run(gpu.names, {"image": image})[0]
    np.testing.assert_allclose(made(crops[:3]).landmarks, expected, atol=1e-4)
    assert gpu.contexts[0].shape == (4, SIZE, SIZE, 3)
    broken = crops[:3].copy()
    broken[1, 5, 5] = np.nan
    found = made(broken)
    assert np.isnan(found.landmarks[1]).all()
    np.testing.assert_allclose(found.landmarks[[0, 2]], expected[[0, 2]], atol=1e-4)


def test_threads_take_turns_with_the_buffers(engine: Any, crops: np.ndarray):
    made = runner(engine, False)
    alone = [made(crops[i : i + 2]).landmarks for i in range(8)]

    def wrong(i: int) -> int:
        answers = [made(crops[i : i + 2]).landmarks for _ in range(20)]
        return sum(not np.array_equal(one, alone[i]) for one in answers)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(wrong, range(8))) == 0


def test_an_engine_stays_in_its_process(engine: Any):
    for duplicate in (copy.deepcopy, pickle.dumps):
        with pytest.raises(UserError, match="cannot be copied"):
            duplicate(runner(engine, False))


@pytest.mark.parametrize("side", [1, SIZE // 2])
def test_crops_of_another_size_are_refused(engine: Any, side: int):
    with pytest.raises(UserError, match=rf"takes crops of shape \(b, {SIZE}"):
        runner(engine, False)(np.zeros((2, side, side, 3), np.float32))


def test_few_sizes_are_prepared(engine: Any, gpu: SimpleNamespace, crops: np.ndarray):
    made = runner(engine, True)
    for batch in range(1, 13):
        made(crops[:batch])
    assert [c.shape[0] for c in gpu.contexts] == [1, 2, 4, 8, 16]


def test_no_crops(engine: Any):
    found = runner(engine, False)(np.zeros((0, SIZE, SIZE, 3), np.float32))
    assert found.landmarks.shape == (0, 478, 3)


def test_a_batch_that_does_not_fit_or_run(engine: Any, gpu: SimpleNamespace, crops: np.ndarray):
    made = runner(engine, False)
    with pytest.raises(UserError, match=r"batch 17 .*\(1 to 16.*--batch MIN:OPT:MAX"):
        made.run(np.concatenate([crops, crops[:5]]))
    made(crops[:2])
    gpu.broken = True
    with pytest.raises(UserError, match="TensorRT cannot run a batch of 2"):
        made(crops[:2])


def test_any_number_of_crops_in_runs_that_fit(
    engine: Any, tensorrt: ModuleType, gpu: SimpleNamespace, crops: np.ndarray
):
    expected = gpu.session.run(
        gpu.names, {"image": np.ascontiguousarray(crops.transpose(0, 3, 1, 2))}
    )[0]
    rest = (3, SIZE, SIZE)
    # Fixed batch 5: the last run is filled up. Then 1 to 16: all at once.
    gpu.contexts.clear()
    profiles, tensorrt.built["profiles"] = (
        tensorrt.built["profiles"],
        [("image", *[(5, *rest)] * 3)],
    )
    for runs in (1, 2):
        found = runner(engine, False).run_any(crops)
        assert found["face_flag"].shape == (12,)
        np.testing.assert_allclose(found["landmarks"], expected, atol=1e-5)
        assert len(gpu.contexts) == runs
        tensorrt.built["profiles"] = profiles


def test_benchmark(engine: Any, monkeypatch: pytest.MonkeyPatch):
    class Event:
        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def record(self, stream: Any) -> None: ...

        def synchronize(self) -> None: ...

        def elapsed_time(self, end: "Event") -> float:
            return 0.5

    monkeypatch.setattr(torch.cuda, "Event", Event)
    (timing,) = benchmark(runner(engine, True), [4], repeats=3, warm_up=1)
    assert (timing.batch, timing.median, timing.crops_per_second) == (4, 0.5, 8000.0)
    assert timing.with_copies > 0
