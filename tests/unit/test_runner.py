"""What every runtime keeps: the same answer to the same crop, from any thread and any copy."""

import copy
import importlib.util
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from own_interpreter import run_apart

from amesh.deploy.crops import parity_crops
from amesh.deploy.litert import runner as litert_runner
from amesh.deploy.litert.interpreter import open_interpreter
from amesh.deploy.litert.runner import LitertRunner
from amesh.deploy.onnx.runner import OnnxRunner
from amesh.errors import UserError
from amesh.runner import Runner, TorchRunner, check_crops

SIZE = 64
OPEN: dict[str, Callable[[Path], Runner]] = {
    "torch": lambda folder: TorchRunner.open(folder / "net.safetensors"),
    "onnx": lambda folder: OnnxRunner(folder / "net.onnx"),
    "litert": lambda folder: LitertRunner(folder / "net.tflite"),
}
EXPORT = """
import sys
from pathlib import Path
import small_networks
from amesh.deploy.litert.export import export_litert
from amesh.deploy.onnx.export import export_onnx
from amesh.weights import store

folder, net = Path(sys.argv[1]), small_networks.networks()["released"]
store.save(net, folder / "net.safetensors", {})
(folder / "net.onnx").write_bytes(export_onnx(net, verify=False))
(folder / "net.tflite").write_bytes(export_litert(net, batch=4, verify=False))
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One network as a file of each runtime."""
    folder = tmp_path_factory.mktemp("runners")
    run_apart(EXPORT, folder)
    return folder


@pytest.fixture(params=OPEN)
def runner(request: pytest.FixtureRequest, files: Path) -> Runner:
    if request.param == "litert" and importlib.util.find_spec("ai_edge_litert") is None:
        pytest.skip("needs LiteRT: pip install '.[litert]'")
    return OPEN[request.param](files)


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    return np.ascontiguousarray(parity_crops(SIZE).images[:12])


def test_many_threads_get_the_answers_that_one_gets(runner: Runner, crops: np.ndarray):
    alone = [runner(crops[i : i + 4]) for i in range(8)]
    assert np.ptp([one.landmarks[0, 0, 0] for one in alone]) > 0.01, "else a mix-up would not show"

    def wrong(i: int) -> int:
        answers = [runner(crops[i : i + 4]) for _ in range(40)]
        return sum(not np.array_equal(one.landmarks, alone[i].landmarks) for one in answers)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(wrong, range(8))) == 0


def test_litert_opens_an_interpreter_only_for_calls_at_the_same_time(
    files: Path, crops: np.ndarray, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("ai_edge_litert", reason="needs LiteRT: pip install '.[litert]'")
    opened = []

    def count(content: bytes, threads: int) -> object:
        opened.append(threads)
        return open_interpreter(content, threads)

    monkeypatch.setattr(litert_runner, "open_interpreter", count)
    runner = LitertRunner(files / "net.tflite")
    for _ in range(3):
        runner(crops[:4])
    assert opened == [1]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: runner(crops), range(60)))
    assert len(opened) <= 3
    before = len(opened)
    runner(crops[:4])
    assert len(opened) == before


def test_a_crop_of_nan_leaves_the_other_crops_alone(runner: Runner, crops: np.ndarray):
    expected = runner(crops[:4])
    spoilt = crops[:4].copy()
    spoilt[1] = np.nan
    found = runner(spoilt)
    rest = [0, 2, 3]
    np.testing.assert_allclose(found.landmarks[rest], expected.landmarks[rest], atol=1e-4)
    np.testing.assert_allclose(found.expected_error[rest], expected.expected_error[rest], atol=1e-4)
    assert np.isnan(found.landmarks[1]).all()
    assert np.isnan(found.expected_error[1]).all()
    assert np.isnan(found.face_flag[1])


@pytest.mark.parametrize("side", [1, SIZE // 2, 2 * SIZE])
def test_crops_of_another_size_are_refused(runner: Runner, side: int):
    with pytest.raises(UserError, match=rf"takes crops of shape \(b, {SIZE}"):
        runner(np.zeros((4, side, side, 3), np.float32))


def test_crops_of_another_type_or_layout_are_refused():
    for crops in (
        np.zeros((1, SIZE, SIZE, 3), np.uint8),
        np.zeros((1, 3, SIZE, SIZE), np.float32),
        np.zeros((SIZE, SIZE, 3), np.float32),
    ):
        with pytest.raises(UserError, match=f"found .* in {crops.dtype}"):
            check_crops(crops, SIZE, "net")
    check_crops(np.zeros((0, SIZE, SIZE, 3), np.float32), SIZE, "net")


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_gives_the_same_answers(
    runner: Runner, crops: np.ndarray, duplicate: Callable[[Runner], Runner]
):
    again = duplicate(runner)
    assert (again.name, again.input_size) == (runner.name, SIZE)
    np.testing.assert_array_equal(again(crops[:4]).landmarks, runner(crops[:4]).landmarks)


@pytest.mark.parametrize("name", ["net.onnx", "net.tflite"])
def test_a_copy_opens_the_same_file_from_another_folder(
    files: Path, tmp_path: Path, crops: np.ndarray, name: str, monkeypatch: pytest.MonkeyPatch
):
    if name == "net.tflite":
        pytest.importorskip("ai_edge_litert")
    open_file = OnnxRunner if name == "net.onnx" else LitertRunner
    monkeypatch.chdir(files)
    runner = open_file(name)
    content = pickle.dumps(runner)
    assert len(content) < (files / name).stat().st_size / 4, (
        "the file is opened again, not carried along"
    )
    monkeypatch.chdir(tmp_path)
    again = pickle.loads(content)
    np.testing.assert_array_equal(again(crops[:1]).landmarks, runner(crops[:1]).landmarks)
    from_bytes = copy.deepcopy(open_file((files / name).read_bytes()))
    np.testing.assert_array_equal(from_bytes(crops[:1]).landmarks, runner(crops[:1]).landmarks)


@pytest.mark.parametrize("name", ["net.onnx", "net.tflite"])
def test_a_runtime_that_fails_says_so_in_one_line(files: Path, name: str):
    if name == "net.tflite":
        pytest.importorskip("ai_edge_litert")
    open_file = OnnxRunner if name == "net.onnx" else LitertRunner
    with pytest.raises(UserError, match=rf"{name}: .* cannot run it \(") as caught:
        open_file(files / name).file(picture=np.zeros((1, 2), np.float32))
    assert "\n" not in str(caught.value)
