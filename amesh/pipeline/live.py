"""Live sources do not wait for anyone: their newest frame is taken, and the others are skipped."""

import threading
from collections.abc import Iterator

from amesh.pipeline.frames import Source, VideoFrame

# How long closing waits for a device that is in the middle of a frame [s].
_PATIENCE = 2.0


class Newest(Source):
    """Reads another source on a thread of its own, and hands out its newest frame.

    The thread starts with the iteration: a source that is opened and forgotten leaves no thread
    behind, which would keep a camera on. The thread also closes the source, as nobody else may do
    so while it reads a frame.
    """

    def __init__(self, source: Source) -> None:
        """Takes over a source.

        Args:
            source: Open; its frames are read at its own pace.
        """
        super().__init__(source.name, None, source.rate, live=True)
        self._source = source
        self._changed = threading.Condition()
        self._newest: VideoFrame | None = None
        self._error: BaseException | None = None
        self._ended = self._stopped = self._closed = False
        self._thread = threading.Thread(target=self._read, name=source.name, daemon=True)

    def __iter__(self) -> Iterator[VideoFrame]:
        """Starts reading, and yields the newest frame again and again, each once.

        Raises:
            UserError: There is no frame at all.
        """
        if not (self._started or self._closed):
            self._thread.start()
        return self._frames()

    @property
    def _started(self) -> bool:
        return self._thread.ident is not None

    def _frames(self) -> Iterator[VideoFrame]:
        while True:
            with self._changed:
                # With a time limit, because Ctrl-C does not end an unlimited wait on Windows.
                while self._newest is None and not (self._ended or self._stopped or self._closed):
                    self._changed.wait(0.2)
                frame, self._newest = self._newest, None
            if self._stopped or self._closed:
                return
            if frame is None:
                break
            yield frame
        if self._error is not None:
            raise self._error
        self.problem = self._source.problem

    def stop(self) -> None:
        """Ends the frames before the next one; may be called by a signal."""
        self._stopped = True

    def close(self) -> None:
        """Has the thread close the source, and gives it a moment to do so."""
        self._closed = True
        if self._started:
            self._thread.join(_PATIENCE)
        else:
            self._source.close()

    def _read(self) -> None:
        try:
            with self._source:
                for frame in self._source:
                    with self._changed:
                        self.skipped += self._newest is not None
                        self._newest = frame
                        self._changed.notify()
                    if self._closed:
                        break
        except BaseException as error:  # raised in the consumer's thread
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify()
