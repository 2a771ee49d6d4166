"""Cameras, without one: OpenCV's class is replaced."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from amesh.errors import UserError
from amesh.pipeline.camera import Camera
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


@pytest.mark.parametrize("source", ["cam:first", "CAM:0", -1, 10**9])
def test_a_camera_has_a_number_from_0(capture: type[FakeCapture], source: str | int) -> None:
    with pytest.raises(UserError, match="give cam:0 for the first"):
        open_source(source)


def test_sources_of_other_types(run_python: Callable[[str], str]) -> None:
    printed = run_python("""
import numpy as np
from amesh.errors import UserError
from amesh.pipeline.video import open_source
for source in (None, True, 0.0, b"clip.mp4", ["clip.mp4"], np.int64(7777)):
    try:
        open_source(source)
    except UserError as error:
        print(error)
""")
    *refused, camera = printed.splitlines()
    assert len(refused) == 5
    assert all("give a file, an address, or a camera" in line for line in refused)
    assert camera.startswith("cam:7777: no such camera")
