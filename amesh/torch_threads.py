"""How many threads PyTorch takes for one call."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Runs PyTorch on so many threads inside, and as before afterwards; 0 changes nothing.

    PyTorch takes every core by default. The networks here are small: their threads spend more CPU
    time waiting for each other than computing, and on a busy machine seconds of it.
    """
    import torch

    before = torch.get_num_threads()
    if count in (0, before):
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
