"""Streams frames and their faces to all targets at once."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from amesh.pipeline.face_pipeline import Face
from amesh.pipeline.frames import Source, VideoFrame
from amesh.streaming.state import Expressions, StateTracker
from amesh.streaming.targets import Sink, Target


class Streams:
    """Open targets, and how the faces of frames are measured for them.

    Attributes:
        sinks: The targets.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        live: bool,
        blendshapes: Expressions,
        fov: float | None = None,
        mirror: bool = False,
    ) -> None:
        """Takes open targets.

        Args:
            sinks: The targets.
            live: Some show frames when they arrive.
            blendshapes: Measures expressions.
            fov: As for `StateTracker`.
            mirror: As for `StateTracker`.
        """
        self.sinks, self._live = sinks, live
        self._blendshapes, self._fov, self._mirror = blendshapes, fov, mirror

    def watch(self, source: Source, name: str) -> Callable[[VideoFrame, Sequence[Face]], None]:
        """What takes each frame of a video and its faces, and sends them.

        The frames of a file are held back until their times if a target shows them when they
        arrive: tracked faster, a clip would play too fast. Tracked more slowly, it plays slowly.
        """
        tracker = StateTracker(name, self._blendshapes, self._fov, self._mirror)
        pace = _Pace() if self._live and not source.live else None

        def send(frame: VideoFrame, faces: Sequence[Face]) -> None:
            state = tracker(frame, faces)
            if pace is not None:
                pace.wait(frame.time)
            for sink in self.sinks:
                sink.send(state)

        return send


class _Pace:
    """Waits for the times of frames; the clock starts with the first one."""

    def __init__(self) -> None:
        self._start: float | None = None

    def wait(self, at: float) -> None:
        now = time.monotonic()
        if self._start is None:
            self._start = now - at
        time.sleep(max(self._start + at - now, 0))


@contextmanager
def open_streams(
    targets: Sequence[Target],
    blendshapes: Expressions,
    say: Callable[[str], None],
    fov: float | None = None,
    mirror: bool = False,
) -> Iterator[Streams]:
    """Opens targets, and closes them at the end; then says which frames were dropped.

    Args:
        targets: From `parse_targets`.
        blendshapes: Measures expressions.
        say: Tells the user something, in one line.
        fov: As for `StateTracker`.
        mirror: As for `StateTracker`.

    Raises:
        UserError: A host cannot be reached, or a file cannot be written.
    """
    with ExitStack() as stack:
        sinks = [stack.enter_context(target.open(say)) for target in targets]
        live = any(target.live for target in targets)
        try:
            yield Streams(sinks, live, blendshapes, fov, mirror)
        finally:
            for sink in sinks:
                if sink.dropped:
                    say(f"{sink.name}: {sink.dropped} frames dropped: the network was busy")
