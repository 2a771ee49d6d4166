"""Engines built, run and compared with ONNX Runtime. Needs an NVIDIA GPU, TensorRT 10.12 or later,
and a CUDA build of PyTorch; `pytest tests/gpu` takes a few minutes there.
"""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from amesh.deploy.formats import Precision
from amesh.deploy.onnx import quantise
from amesh.deploy.onnx.export import export_onnx
from amesh.deploy.sidecar import sidecar_file
from amesh.deploy.signature import INPUT
from amesh.deploy.tensorrt import export, library
from amesh.deploy.tensorrt.library import Batches
from amesh.deploy.tensorrt.plan import BuildOptions
from amesh.deploy.tensorrt.runner import TensorRTRunner, benchmark
from amesh.deploy.tensorrt.sidecar import read_sidecar
from amesh.deploy.tensorrt.triton import write_model
from amesh.errors import UserError
from amesh.weights import store

SIZE = 128
BATCHES = Batches(1, 4, 8)
# Worst distance from ONNX Runtime in single precision [px of a 128-px crop].
TOLERANCE = {"fp32": 0.01, "fp16": 0.5, "int8": 3.0}
Build = Callable[..., tuple[Path, dict[str, Any]]]


@pytest.fixture(scope="session")
def crops() -> np.ndarray:
    """Eight cut-outs of a real face, shifted and scaled."""
    import cv2
    from skimage import data

    picture = data.astronaut().astype(np.float32) / 255
    places = [(20 + 5 * i, 130 - 4 * i, 170 + 8 * i) for i in range(8)]
    cut = [picture[max(y, 0) : y + n, x : x + n] for y, x, n in places]
    return np.stack([cv2.resize(c, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for c in cut])


@pytest.fixture(scope="session")
def graphs(tmp_path_factory: pytest.TempPathFactory, crops: np.ndarray) -> dict[Precision, Path]:
    """tiny-128 with fixed random weights in every precision, batch dynamic."""
    folder = tmp_path_factory.mktemp("onnx")
    torch.manual_seed(0)
    net = store.untrained("tiny-128")
    for name, parameter in net.named_parameters():
        if name.endswith("points.weight"):  # else every picture gives the mean face
            parameter.data.mul_(20)
    paths: dict[Precision, Path] = {}
    for precision in ("fp32", "fp16"):
        paths[precision] = folder / f"tiny-{precision}.onnx"
        paths[precision].write_bytes(export_onnx(net, precision, target="gpu"))
    paths["int8"] = folder / "tiny-int8.onnx"
    onnx.save(quantise.quantise(onnx.load(paths["fp16"]), [crops]), paths["int8"])
    return paths


@pytest.fixture(scope="session")
def build(graphs: dict[Precision, Path], tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Builds an engine into a folder of its own, timings shared."""
    cache = tmp_path_factory.mktemp("timings")

    def make(precision: Precision = "fp16", **options: Any) -> tuple[Path, dict[str, Any]]:
        engine = tmp_path_factory.mktemp("engine") / f"tiny-{precision}.engine"
        wanted = BuildOptions(
            precision=precision,
            batches=BATCHES,
            optimisation_level=1,
            timing_cache=cache,
            **options,
        )
        sidecar = export.build(graphs[precision], engine, export.Origin("tiny-128"), wanted)
        return engine, sidecar

    return make


@pytest.fixture(scope="session")
def half(build: Build) -> Path:
    """An engine in half precision."""
    return build("fp16")[0]


def reference(path: Path, crops: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    image = np.ascontiguousarray(crops.transpose(0, 3, 1, 2))
    return session.run(["landmarks"], {INPUT: image})[0]


def worst(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected, axis=-1).max())


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_parity_with_onnx_runtime(
    build: Build, graphs: dict[Precision, Path], crops: np.ndarray, precision: Precision
):
    engine, sidecar = build(precision)
    runner = export.open_engine(engine)
    expected = reference(graphs["fp32"], crops)
    for batch in (8, 3, 1):
        found = runner(crops[:batch])
        assert found.landmarks.shape == (batch, 478, 3)
        assert worst(found.landmarks, expected[:batch]) <= TOLERANCE[precision]
    assert sidecar["precision"] == precision
    assert set(sidecar["convolutions"]) == {
        *({precision} if precision != "int8" else {"int8", "fp16"})
    }


def test_a_replayed_graph_gives_the_same(half: Path, crops: np.ndarray):
    replayed, launched = (export.open_engine(half, cuda_graphs=on) for on in (True, False))
    for batch in (1, 8, 1, 5, 8):  # back and forth: each batch keeps its own graph and buffers
        first, second = replayed(crops[:batch]), launched(crops[:batch])
        np.testing.assert_array_equal(first.landmarks, second.landmarks)
        np.testing.assert_array_equal(first.face_flag, second.face_flag)
    assert replayed.prepare(8).graph is not None
    assert launched.prepare(8).graph is None


def test_sizes_that_share_memory_and_are_filled_up(half: Path, crops: np.ndarray):
    runner = export.open_engine(half, device=0)
    alone = runner(crops[:1]).landmarks
    all_at_once = runner(crops).landmarks
    for batch in (2, 3, 4, 5, 6, 7, 8):
        found = runner(crops[:batch]).landmarks
        assert worst(found, all_at_once[:batch]) <= TOLERANCE["fp16"]
    np.testing.assert_array_equal(runner(crops[:1]).landmarks, alone)
    assert worst(runner(np.tile(crops, (3, 1, 1, 1))).landmarks[8:16], all_at_once) == 0


def test_another_thread_may_use_the_gpu_during_a_capture(half: Path, crops: np.ndarray):
    busy, stop = export.open_engine(half, cuda_graphs=False), threading.Event()

    def work() -> None:
        while not stop.is_set():
            busy(crops[:2])

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(work)
        try:
            captured = export.open_engine(half)
            for batch in (1, 2, 4, 8):
                captured(crops[:batch])
        finally:
            stop.set()
        other.result()


def test_profiles(half: Path, crops: np.ndarray):
    runner = export.open_engine(half)
    assert runner.profiles == (BATCHES, Batches(1, 1, 1))
    with pytest.raises(UserError, match=r"batch 9 is outside .*\(1 to 8 and 1\)"):
        runner.run(np.concatenate([crops, crops[:1]]))


def test_timings_are_kept(build: Build):
    _, sidecar = build("fp16")
    folder = Path(sidecar["trtexec"].split("--timingCacheFile=")[1].split()[0]).parent
    files = [path.name for path in folder.glob("*.timing")]
    assert any(sidecar["tensorrt"] in name for name in files)


def test_a_stripped_engine_is_smaller_and_the_same(
    build: Build, graphs: dict[Precision, Path], half: Path, crops: np.ndarray
):
    engine, _ = build("fp16", strip_weights=True)
    assert engine.stat().st_size < half.stat().st_size
    runner = export.open_engine(engine, model=graphs["fp16"])
    expected = export.open_engine(half)(crops).landmarks
    assert worst(runner(crops).landmarks, expected) <= TOLERANCE["fp16"]


@pytest.mark.parametrize(
    "options", [{"hardware": "capability"}, {"hardware": "ampere"}, {"version_compatible": True}]
)
def test_compatible_engines_run(build: Build, half: Path, crops: np.ndarray, options: Any):
    engine, _ = build("fp16", **options)
    expected = export.open_engine(half)(crops).landmarks
    assert worst(export.open_engine(engine)(crops).landmarks, expected) <= TOLERANCE["fp16"]


def test_inspect(half: Path):
    found = export.inspect(half)
    assert found["engine"]["layers"] > 0
    assert found["engine"]["numbers"]["fp16"] > found["engine"]["numbers"]["fp32"]


def test_an_engine_of_another_version_or_gpu(half: Path, tmp_path: Path):
    for key, value, message in (
        ("tensorrt", "10.12.0.1", r"built by TensorRT 10\.12\.0\.1, here is"),
        ("gpu", {"name": "Other GPU", "capability": "7.0"}, r"built for Other GPU \(7\.0\)"),
    ):
        engine = tmp_path / f"{key}.engine"
        engine.write_bytes(half.read_bytes())
        sidecar = read_sidecar(half) | {key: value}
        sidecar_file(engine).write_text(json.dumps(sidecar))
        with pytest.raises(UserError, match=message):
            export.open_engine(engine)


def test_bytes_that_are_no_engine():
    with pytest.raises(UserError, match="cannot load the engine: "):
        library.deserialise(b"no engine at all" * 100, library.Log())


def test_the_parser_tells_every_error(tmp_path: Path, graphs: dict[Precision, Path]):
    from amesh.deploy.tensorrt import readiness
    from amesh.deploy.tensorrt.plan import build_plan

    model = onnx.load(graphs["fp16"])
    convolution = next(node for node in model.graph.node if node.op_type == "Conv")
    convolution.op_type = "NoSuchOperator"
    with pytest.raises(UserError, match="NoSuchOperator"):
        build_plan(model.SerializeToString(), readiness.check(model), BuildOptions())


def test_benchmark_and_triton(half: Path, tmp_path: Path):
    runner: TensorRTRunner = export.open_engine(half)
    timings = benchmark(runner, [1, 8], repeats=20, warm_up=5)
    assert [timing.batch for timing in timings] == [1, 8]
    for timing in timings:
        assert 0 < timing.low <= timing.median <= timing.high < timing.with_copies
    assert timings[1].crops_per_second > timings[0].crops_per_second
    assert (write_model(half, tmp_path) / "config.pbtxt").is_file()
