import sys
from collections.abc import Callable

import pytest

from amesh.training import memory

# glibc's own account: bytes in mappings of single blocks, and bytes that it holds free.
ACCOUNT = """
import ctypes
import torch
from amesh.training.memory import keep_memory

class Account(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "mapped", "usmblks", "fsmblks", "uordblks", "free",
        "keepcost",
    )]

account = ctypes.CDLL(None).mallinfo2
account.restype = Account

def mapped_while_used_and_free_after():
    before = account().mapped
    tensor = torch.ones(64, 1 << 18)  # 64 MiB: above any threshold that glibc sets itself
    mapped = account().mapped - before
    del tensor
    return mapped >> 20, account().free >> 20

usual = mapped_while_used_and_free_after()
print(keep_memory(), *usual, *mapped_while_used_and_free_after())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a switch of Linux's C library")
def test_the_memory_of_a_freed_tensor_is_kept(run_python: Callable[[str], str]):
    try:
        switched, *figures = run_python(ACCOUNT).split()
    except AssertionError as error:
        if "mallinfo2" in str(error):
            pytest.skip("another C library")
        raise
    assert switched == "True"
    mapped_usually, free_usually, mapped, free = map(int, figures)  # [MiB]
    assert mapped_usually >= 64
    assert free_usually < 64
    assert mapped == 0
    assert free >= 64


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert memory.keep_memory() is False
