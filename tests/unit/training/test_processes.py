"""No thread of a group of processes is left when Python ends."""

import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from amesh.training.processes import leave_group


def gloo_threads() -> list[str]:
    names = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
    return [name for name in names if "gloo" in name]


def trained(folder: Path) -> None:
    """One step of a group of one, and everything of it dropped."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=0, world_size=1)
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 1))
    model(torch.ones(1, 2)).sum().backward()


@pytest.mark.skipif(sys.platform != "linux", reason="reads the names of threads in /proc")
def test_the_threads_of_the_group_end(tmp_path: Path) -> None:
    trained(tmp_path)
    assert gloo_threads()
    leave_group()
    assert not gloo_threads()
    assert not dist.is_initialized()


def test_without_a_group_there_is_nothing_to_leave() -> None:
    leave_group()
    assert not dist.is_initialized()
