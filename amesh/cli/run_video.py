"""The videos of `amesh run`: opening, drawing and streaming them, and ending the endless ones."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from amesh.cli.parsing import count
from amesh.errors import UserError

if TYPE_CHECKING:
    from amesh.pipeline.face_pipeline import Face
    from amesh.pipeline.frames import VideoFrame
    from amesh.pipeline.inputs import Video
    from amesh.pipeline.live import Newest
    from amesh.pipeline.overlays import Overlays
    from amesh.pipeline.results import PictureResult
    from amesh.pipeline.tracking import Tracker
    from amesh.pipeline.video_writer import VideoWriter
    from amesh.streaming.streams import Streams
    from amesh.topology import Topology


def video_results(
    tracker: "Tracker",
    video: "Video",
    overlays: "Overlays | None",
    streams: "Streams | None" = None,
) -> "Iterator[PictureResult]":
    """The results of a video; one with `error` if it cannot be opened.

    Ctrl-C ends a camera or a live stream, which have no other end.

    Raises:
        UserError: The overlay cannot be written.
    """
    from amesh.pipeline.live import Newest
    from amesh.pipeline.results import picture_result
    from amesh.pipeline.run import run_video
    from amesh.pipeline.video import open_source
    from amesh.pipeline.video_writer import writing

    try:
        source = open_source(video.source)
    except UserError as error:
        yield picture_result(video.name, error=str(error))
        return
    with ExitStack() as stack:
        stack.enter_context(source)
        if isinstance(source, Newest):
            stack.enter_context(_ended_by_signals(source))
        watchers: list[Callable[[Any, Any], None]] = []
        if streams is not None:  # first: somebody is waiting for it
            watchers.append(streams.watch(source, video.name))
        if overlays is not None:
            file = stack.enter_context(writing(overlays.path(video), source.rate))
            watchers.append(partial(_draw, overlays, file, tracker.pipeline.runner.topology))
        yield from run_video(tracker.process, video.name, source, watchers)
    if source.skipped:
        frames = count(source.skipped, "frame")
        print(f"amesh: {video.name}: {frames} skipped, to keep up with it", file=sys.stderr)


def _draw(
    overlays: "Overlays",
    file: "VideoWriter",
    topology: "Topology",
    frame: "VideoFrame",
    faces: "Sequence[Face]",
) -> None:
    file.write(overlays.draw(frame.image, faces, topology), frame.time)


@contextmanager
def _ended_by_signals(source: "Newest") -> Iterator[None]:
    """Lets the first Ctrl-C or SIGTERM end a live source, and another one the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[signal.Signals, Any] = {}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def stop(_number: int, _frame: object) -> None:
        source.stop()
        restore()

    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        restore()
