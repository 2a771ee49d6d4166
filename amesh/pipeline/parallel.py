"""Pictures side by side: one thread each, results in order, memory bounded.

Small networks are fastest on one thread each, so the cores share the pictures, not the layers.
Threads are enough: decoding, warping and the runtimes let other threads run meanwhile.
"""

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from amesh.data.loading.limits import MAX_PIXELS

Item = TypeVar("Item")
Result = TypeVar("Result")

# Items per worker that are begun or wait for their turn, in either direction: so that one slow
# picture does not hold up the others at once.
_AHEAD = 4
# Pixels that each worker may read, if that is more than one picture may have.
_PER_WORKER = 16_000_000


def cores() -> int:
    """The CPU cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_order(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int,
    cost: Callable[[Item], int] = lambda _: 0,
    max_pixels: int = MAX_PIXELS,
) -> Generator[Result, None, None]:
    """Applies a function to items on several threads, and yields the results in the items' order.

    An exception of the function is raised where its result would be; nothing new begins after it,
    and what has begun ends first. One worker is the calling thread itself.

    Args:
        function: Is called from several threads at the same time.
        items: Are taken a few per worker ahead of the results.
        workers: Number of threads.
        cost: Pixels that an item will read. All that are read at the same time have no more than
            `max_pixels`, or 16 million per worker if that is more; a larger one is read alone.
        max_pixels: See `cost`.
    """
    if workers == 1:
        yield from map(function, items)
        return
    room = _Room(max(max_pixels, workers * _PER_WORKER))
    over = threading.Event()

    def call(item: Item) -> Result:
        with room.taken(cost(item)):
            if over.is_set():  # while it waited for room
                raise CancelledError
            return function(item)

    pool = ThreadPoolExecutor(workers, "amesh")
    begun: deque[Future[Result]] = deque()
    try:
        for item in items:
            begun.append(pool.submit(call, item))
            while begun and (begun[0].done() or len(begun) == _AHEAD * workers):
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        over.set()
        pool.shutdown(cancel_futures=True)


class _Room:
    """Room for so many pixels."""

    def __init__(self, pixels: int) -> None:
        self.pixels = self.free = pixels
        self.changed = threading.Condition()

    @contextmanager
    def taken(self, pixels: int) -> Iterator[None]:
        """Waits until there is room."""
        pixels = min(pixels, self.pixels)
        with self.changed:
            self.changed.wait_for(lambda: self.free >= pixels)
            self.free -= pixels
        try:
            yield
        finally:
            with self.changed:
                self.free += pixels
                self.changed.notify_all()
