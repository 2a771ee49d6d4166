"""The newest frame is taken, others are counted, and errors come through."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from amesh.errors import UserError
from amesh.pipeline.frames import Source, VideoFrame
from amesh.pipeline.live import Newest


class Steps(Source):
    """A source that gives a frame each time that the test lets it."""

    def __init__(self, number: int, error: Exception | None = None) -> None:
        super().__init__("steps", live=True)
        self.number, self.error = number, error
        self.go, self.taken, self.closed = threading.Semaphore(0), threading.Semaphore(0), False

    def __iter__(self) -> Iterator[VideoFrame]:
        for index in range(self.number):
            assert self.go.acquire(timeout=20)
            yield VideoFrame(index, index / 10, np.zeros((2, 2, 3), np.uint8))
            self.taken.release()
        self.problem = "steps: unplugged"
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        self.closed = True

    def give(self, number: int) -> None:
        """Lets the source give frames, and waits until they are there."""
        for _ in range(number):
            self.go.release()
            assert self.taken.acquire(timeout=20)


def test_the_newest_frame_is_taken_and_the_skipped_ones_are_counted() -> None:
    steps = Steps(6)
    with Newest(steps) as source:
        assert source.live
        frames = iter(source)
        steps.give(1)
        assert next(frames).index == 0
        steps.give(3)
        assert next(frames).index == 3
        assert source.skipped == 2
        steps.give(2)
        assert [(frame.index, frame.time) for frame in frames] == [(5, 0.5)]
    assert source.skipped == 3
    assert source.problem == "steps: unplugged"
    assert steps.closed


def test_a_live_source_can_be_stopped_while_it_gives_nothing() -> None:
    steps = Steps(9)
    with Newest(steps) as source:
        frames = iter(source)
        steps.give(1)
        assert next(frames).index == 0
        threading.Timer(0.05, source.stop).start()
        assert list(frames) == []
        steps.go.release()
    assert not source.problem


def test_an_error_of_the_source_is_raised_where_frames_are_taken() -> None:
    with (
        Newest(Steps(0, UserError("steps: no frame"))) as source,
        pytest.raises(UserError, match="steps: no frame"),
    ):
        list(source)


def test_closing_ends_a_source_that_goes_on() -> None:
    steps = Steps(1000)
    source = Newest(steps)
    frames = iter(source)
    steps.give(2)
    threading.Timer(0.05, steps.go.release).start()
    source.close()
    assert steps.closed
    assert list(frames) == []


def test_no_thread_reads_a_source_before_its_frames_are_taken() -> None:
    steps = Steps(9)
    source = Newest(steps)
    assert not any(thread.name == "steps" for thread in threading.enumerate())
    source.close()
    assert steps.closed
    assert list(source) == []
