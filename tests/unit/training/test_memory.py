import sys
from collections.abc import Callable

import pytest

from amesh.training import memory

FAULTS = """
import resource
import torch
from amesh.training.memory import keep_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        torch.ones(16, 1 << 18)  # 16 MiB, of 4096 pages
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

usual = faults()
print(keep_memory(), usual, faults(), faults())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a switch of Linux's C library")
def test_a_freed_tensor_s_memory_is_used_again(run_python: Callable[[str], str]):
    switched, usual, _, after = run_python(FAULTS).split()
    if switched != "True":
        pytest.skip("another C library")
    assert int(usual) > 4000  # at least one of the five was given back and cleared again
    assert int(after) < int(usual) / 10


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert memory.keep_memory() is False
