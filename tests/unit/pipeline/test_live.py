"""Cameras, without one: OpenCV's class is replaced."""

import threading
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from amesh.errors import UserError
from amesh.pipeline.camera import Camera
from amesh.pipeline.frames import Source, VideoFrame
from amesh.pipeline.live import Newest
from amesh.pipeline.video import open_source


class FakeCapture:
    """A camera that gives a number of frames, blue in OpenCV's order, and is then unplugged."""

    frames = 3
    opened = True

    def __init__(self, number: int) -> None:
        self.left, self.released = self.frames, False

    def isOpened(self) -> bool:
        return self.opened

    def get(self, _: int) -> float:
        return 30.0

    def read(self) -> tuple[bool, Any]:
        self.left -= 1
        return (
            (True, np.full((4, 6, 3), (200, 0, 0), np.uint8)) if self.left >= 0 else (False, None)
        )

    def release(self) -> None:
        self.released = True


@pytest.fixture
def capture(monkeypatch: pytest.MonkeyPatch) -> type[FakeCapture]:
    class Fresh(FakeCapture):
        pass

    monkeypatch.setattr(cv2, "VideoCapture", Fresh)
    return Fresh


def test_a_camera_that_is_unplugged_keeps_what_was_read(capture: type[FakeCapture]) -> None:
    with Camera(0) as source:
        frames = list(source)
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert frames[0].image[0, 0].tolist() == [0, 0, 200]
    times = [frame.time for frame in frames]
    assert times == sorted(times)
    assert 0 <= times[0] < 1
    assert source.problem.startswith("cam:0: the camera gives no more pictures after 3 frames")
    assert source._capture.released  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("frames", "opened", "message"),
    [(0, True, "another program may be using it"), (3, False, "cam:7777: no such camera")],
)
def test_a_camera_that_cannot_be_used(
    capture: type[FakeCapture], frames: int, opened: bool, message: str
) -> None:
    capture.frames, capture.opened = frames, opened
    for source in (7777, "cam:7777"):
        with pytest.raises(UserError, match=message):
            open_source(source)
    with pytest.raises(UserError, match="give cam:0 for the first"):
        open_source("cam:first")


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
        steps.give(1)
        frames = iter(source)
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
    steps.give(2)
    threading.Timer(0.05, steps.go.release).start()
    source.close()
    assert steps.closed
