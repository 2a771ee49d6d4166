"""Tests that need a GPU; those of engines need TensorRT too. The reason for a skip says what lacks.

`AMESH_TEST_DEVICE=cpu pytest tests/gpu` runs what can also run on a CPU, to see that it runs.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import torch

from amesh.deploy.tensorrt import library
from amesh.errors import UserError

HERE = Path(__file__).resolve().parent
DEVICE = os.environ.get("AMESH_TEST_DEVICE", "cuda")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks this folder's tests, and skips those whose needs are not met."""
    for item in items:
        if HERE not in item.path.parents:
            continue
        item.add_marker(pytest.mark.gpu)
        lacks: list[str | None] = []
        if item.path.name == "test_tensorrt.py":
            lacks = [reason(library.version), reason(library.gpu)]
        elif DEVICE == "cuda" and not torch.cuda.is_available():
            lacks = ["needs an NVIDIA GPU"]
        if any(lacks):
            item.add_marker(pytest.mark.skip(reason="; ".join(text for text in lacks if text)))


def reason(check: object) -> str | None:
    """Why a requirement is not met."""
    try:
        check()  # type: ignore[operator]
    except UserError as error:
        return str(error)
    return None


@pytest.fixture(scope="session")
def device() -> torch.device:
    """Where these tests run."""
    return torch.device(DEVICE)


@pytest.fixture
def cuda(device: torch.device) -> torch.device:
    """For what a CPU has not: streams, graphs, NCCL."""
    if device.type != "cuda":
        pytest.skip("needs CUDA itself")
    return device


@pytest.fixture
def exact() -> Iterator[None]:
    """Single precision as it is on a CPU: without TF32."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


@pytest.fixture(scope="session")
def crops() -> torch.Tensor:
    """Eight cut-outs of a real face, shifted and scaled, (8 3 256 256) RGB in [0, 1]."""
    import cv2
    from skimage import data

    picture = data.astronaut().astype("float32") / 255
    places = [(20 + 5 * i, 130 - 4 * i, 170 + 8 * i) for i in range(8)]
    cut = [picture[max(y, 0) : y + n, x : x + n] for y, x, n in places]
    sized = [cv2.resize(c, (256, 256), interpolation=cv2.INTER_AREA) for c in cut]
    return torch.stack([torch.from_numpy(c).permute(2, 0, 1) for c in sized]).contiguous()


@pytest.fixture
def unwaiting() -> Callable[[], AbstractContextManager[None]]:
    """A block in which waiting for the GPU is an error: `.item()`, masks, copies from lists."""

    @contextmanager
    def block() -> Iterator[None]:
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode("default")

    return block
