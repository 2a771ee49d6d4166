"""Reads the frames of a camera with OpenCV."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2

from amesh.errors import UserError
from amesh.pipeline.frames import Source, VideoFrame

_SILENT = 0  # OpenCV's level of messages


class Camera(Source):
    """A camera of this machine.

    Read it through `Newest`: OpenCV queues frames, so a slow reader would get old ones.
    """

    def __init__(self, number: int) -> None:
        """Opens it, and waits for its first frame.

        Args:
            number: 0 for the first camera.

        Raises:
            UserError: There is no such camera, or it gives no frame.
        """
        name = f"cam:{number}"
        log: Any = getattr(cv2.utils, "logging", cv2)  # at the top in OpenCV 4
        level = log.getLogLevel()
        log.setLogLevel(_SILENT)  # we say it in one line
        try:
            self._capture = cv2.VideoCapture(number)
        finally:
            log.setLogLevel(level)
        if not self._capture.isOpened():
            raise UserError(f"{name}: {_why_not(number)}")
        good, self._first = self._capture.read()
        if not good:
            self._capture.release()
            raise UserError(f"{name}: the camera gives no picture; another program may be using it")
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        super().__init__(name, None, rate if rate > 0 else None, live=True)

    def close(self) -> None:
        """Releases the camera."""
        self._capture.release()

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yields frames until the camera gives none."""
        start, index = time.monotonic(), 0
        good, frame = True, self._first
        while good:
            image = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            yield VideoFrame(index, time.monotonic() - start, image)
            good, frame = self._capture.read()
            index += 1
        self.problem = (
            f"{self.name}: the camera gives no more pictures after {index} frames; "
            "was it unplugged, or taken by another program?"
        )


def _why_not(number: int) -> str:
    """Why a camera cannot be opened, as far as one can know."""
    device = Path(f"/dev/video{number}")
    if device.exists():
        return f"cannot be opened; is another program using it, and may you read {device}?"
    others = sorted(int(path.name[5:]) for path in Path("/dev").glob("video[0-9]*"))
    known = f"; there are {', '.join(f'cam:{one}' for one in others)}" if others else ""
    return f"no such camera{known}"
