"""Side by side, and as if one after the other."""

import threading
from collections.abc import Iterator

import pytest

from amesh.pipeline.parallel import cores, in_order

# Long enough for a busy machine: only a test that fails waits for it [s].
PATIENCE = 60


def test_results_keep_the_order_of_the_items_whoever_is_done_first():
    others = threading.Event()

    def function(item: int) -> int:
        if item == 0:
            assert others.wait(PATIENCE)
        elif item == 3:
            others.set()
        return 10 * item

    assert list(in_order(function, range(20), workers=2)) == list(range(0, 200, 10))


def test_as_many_items_as_workers_are_processed_at_the_same_time():
    together = threading.Barrier(3)
    assert len(list(in_order(lambda _: together.wait(PATIENCE), range(6), workers=3))) == 6


def test_one_worker_is_the_calling_thread_and_takes_no_item_ahead():
    taken = []

    def items() -> Iterator[int]:
        for item in range(3):
            taken.append(item)
            yield item

    for i, thread in enumerate(in_order(lambda _: threading.current_thread(), items(), 1)):
        assert thread is threading.main_thread()
        assert taken == list(range(i + 1))


def test_items_are_taken_only_a_few_ahead():
    ahead, results = [], 0

    def items() -> Iterator[int]:
        for item in range(100):
            ahead.append(item - results)
            yield item

    for _ in in_order(lambda item: item, items(), workers=2):
        results += 1
    assert results == 100
    assert max(ahead) <= 8


def test_an_exception_comes_in_its_place_and_ends_the_work():
    begun = []

    def function(item: int) -> int:
        begun.append(item)
        if item == 5:
            raise ValueError("five")
        return item

    results = in_order(function, range(100), workers=2)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="five"):
        next(results)
    assert len(begun) <= 5 + 8


def test_closing_waits_for_what_has_begun_and_begins_nothing_more():
    done = []
    go = threading.Event()

    def function(item: int) -> int:
        if item:
            assert go.wait(PATIENCE)
        done.append(item)
        return item

    results = in_order(function, range(100), workers=2)
    assert next(results) == 0
    threading.Timer(0.05, go.set).start()
    results.close()
    finished = list(done)
    assert len(finished) <= 3
    assert done == finished


class Reader:
    """Notes the most that is read at the same time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now = self.most = 0
        self.waiting = threading.Event()

    def __call__(self, cost: int) -> int:
        with self.lock:
            self.now += cost
            self.most = max(self.most, self.now)
        self.waiting.wait(0.002)  # so that others would come in
        with self.lock:
            self.now -= cost
        return cost


def test_large_pictures_take_turns():
    reader, costs = Reader(), [50, 60, 10, 40, 90, 30, 5, 100] * 4
    found = in_order(reader, costs, 4, cost=lambda item: 10**6 * item, max_pixels=100 * 10**6)
    assert list(found) == costs
    assert 50 < reader.most <= 100


def test_a_picture_larger_than_the_room_is_read_alone():
    reader, costs = Reader(), [10**9, 7, 10**9]
    assert list(in_order(reader, costs, 2, cost=lambda item: item)) == costs
    assert reader.most == 10**9


def test_this_process_has_a_core():
    assert cores() >= 1
