"""Streams: every target gets every frame, files at their own pace."""

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from amesh.errors import UserError
from amesh.pipeline.frames import Source, VideoFrame
from amesh.streaming.state import FrameState
from amesh.streaming.streams import Streams, open_streams
from amesh.streaming.targets import Target, parse_targets

IMAGE = np.zeros((48, 64, 3), np.uint8)


class Kept:
    """A target that keeps what it gets."""

    def __init__(self, dropped: int = 0) -> None:
        self.name, self.dropped, self.frames = "osc://there", dropped, list[FrameState]()

    def send(self, frame: FrameState) -> None:
        self.frames.append(frame)


class Clip(Source):
    """A source that is never read."""

    def __iter__(self) -> Iterator[VideoFrame]:
        return iter(())

    def close(self) -> None:
        pass


def still(_: np.ndarray) -> np.ndarray:
    return np.zeros(52)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was slept; the clock goes on by that, and by 10 ms whenever it is read."""
    slept: list[float] = []
    clock = SimpleNamespace(now=100.0)

    def monotonic() -> float:
        clock.now += 0.01
        return clock.now

    def sleep(seconds: float) -> None:
        slept.append(round(seconds, 3))
        clock.now += seconds

    monkeypatch.setattr(time, "monotonic", monotonic)
    monkeypatch.setattr(time, "sleep", sleep)
    return slept


def stream(times: list[float], live_target: bool, live_source: bool) -> list[Kept]:
    sinks = [Kept(), Kept()]
    watch = Streams(sinks, live_target, still).watch(Clip("a.mp4", live=live_source), "a.mp4")
    for i, at in enumerate(times):
        watch(VideoFrame(i, at, IMAGE), [])
    return sinks


def test_every_target_gets_every_frame() -> None:
    for sink in stream([0.0, 0.04], live_target=False, live_source=False):
        assert [(one.source, one.index, one.time) for one in sink.frames] == [
            ("a.mp4", 0, 0.0),
            ("a.mp4", 1, 0.04),
        ]


def test_a_file_plays_at_its_own_pace(slept: list[float]) -> None:
    stream([0.0, 0.5, 0.505, 1.0], live_target=True, live_source=False)
    assert slept == [0, 0.49, 0, 0.48]  # the third is late, and the fourth on time again


@pytest.mark.parametrize(("target", "source"), [(False, False), (True, True)])
def test_nobody_waits_for_a_file_of_lines_or_for_a_camera(
    target: bool, source: bool, slept: list[float]
) -> None:
    stream([0.0, 0.5], live_target=target, live_source=source)
    assert slept == []


def test_dropped_frames_are_told_at_the_end() -> None:
    from contextlib import nullcontext

    said: list[str] = []
    target = Target("osc://there", "there", True, lambda _: nullcontext(Kept(dropped=2)))
    with open_streams([target], still, said.append):
        assert said == []
    assert said == ["osc://there: 2 frames dropped: the network was busy"]


def test_a_target_that_cannot_be_opened_closes_the_others(tmp_path: Any) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "file" / "b.jsonl"
    (tmp_path / "file").write_text("")
    targets = parse_targets([f"jsonl:{first}", f"jsonl:{second}"])
    with (
        pytest.raises(UserError, match=r"file: .*not a folder"),
        open_streams(targets, still, print),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
