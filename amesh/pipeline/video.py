"""Every N-th frame of clips."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from amesh.errors import UserError
from amesh.files import check_readable


def count_frames(path: Path) -> int:
    """Number of frames that a clip states; 0 if it states none or cannot be read."""
    try:
        capture = _open(path)
    except UserError:
        return 0
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    capture.release()
    return max(count, 0)


def read_frames(
    path: Path, every: int, wanted: Callable[[int], bool]
) -> Iterator[tuple[int, UInt8[np.ndarray, "h w 3"]]]:
    """Frames 0, `every`, 2 `every`, ... of a clip, upright, RGB.

    Args:
        path: The clip.
        every: Step from one frame to the next.
        wanted: Says whether a frame is needed; others are skipped without being converted.

    Yields:
        Number and pixels.

    Raises:
        UserError: It is no video, or no frame of it can be decoded.
    """
    capture = _open(path)
    try:
        number = 0
        while capture.grab():
            if number % every == 0 and wanted(number):
                good, frame = capture.retrieve()
                if good and frame is not None:
                    yield number, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            number += 1
        if not number:
            raise UserError(f"{path}: no frame in this video can be read")
    finally:
        capture.release()


def _open(path: Path) -> cv2.VideoCapture:
    check_readable(path, limit=sys.maxsize)  # OpenCV would wait for a pipe
    try:
        name = str(path).encode()
    except UnicodeEncodeError:  # OpenCV crashes
        raise UserError(f"{path}: the name of a video must be UTF-8; rename it") from None
    capture = cv2.VideoCapture(name.decode())
    if not capture.isOpened():
        raise UserError(f"{path}: not a video that can be read")
    return capture
