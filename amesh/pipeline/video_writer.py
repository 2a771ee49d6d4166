"""Writes video files: frames with the times at which they are shown."""

import glob
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from amesh.errors import UserError
from amesh.files import (
    as_user_error,
    is_special,
    locked,
    remove_leftovers,
    replacing,
    target,
)
from amesh.pipeline.video_file import pyav

VIDEO_SUFFIX = ".mp4"

# Ticks per second: whole numbers of them last 1/24, 1/25, 1/30 and 1001/30000 s, and MPEG-4 has
# room for 16 bits.
_TICKS = 60_000
# Encoders, the best first, with options that keep thin lines sharp.
_ENCODERS = {
    "libx264": {"preset": "veryfast", "crf": "20"},
    "mpeg4": {"qmin": "2", "qmax": "5"},
}


class VideoWriter:
    """A video file that is being written; see `writing`."""

    def __init__(self, place: str, path: Path, rate: float | None) -> None:
        """Opens the file.

        Args:
            place: Where it is written.
            path: Its name in messages.
            rate: The mean rate to state [frames/s].
        """
        av = pyav()
        self._av, self.path = av, path
        self._rate = Fraction(rate or 25).limit_denominator(1001)
        self._container = av.open(f"file:{place}", "w", format="mp4")
        self._stream: Any = None
        self._reformatter = av.video.reformatter.VideoReformatter()
        self._size = (0, 0)
        self._last, self._duration = -1, round(_TICKS / self._rate)

    @property
    def empty(self) -> bool:
        """Whether no frame has been written yet."""
        return self._last < 0

    def write(self, image: UInt8[np.ndarray, "h w 3"], time: float) -> None:
        """Adds a frame.

        The first frame decides on the size, which is rounded up to even numbers. Others are scaled
        to fit into it, with black bars.

        Args:
            image: Its pixels, RGB.
            time: When it is shown [s]; at the same time as the frame before or earlier, it is shown
                just after it.

        Raises:
            UserError: The disk is full, or the encoder cannot take frames of this size.
        """
        if self._stream is None:
            height, width = image.shape[:2]
            self._size = (width + width % 2, height + height % 2)
            self._stream = self._open_stream()
        frame = self._av.VideoFrame.from_ndarray(_fitted(image, self._size), format="rgb24")
        frame = self._reformatter.reformat(
            frame, format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG", threads=1
        )
        tick = max(round(time * _TICKS), self._last + 1)
        if not self.empty:
            self._duration = tick - self._last
        frame.pts, frame.time_base = tick, Fraction(1, _TICKS)
        frame.duration = self._duration  # counts for the last frame only
        with self._as_user_error():
            self._container.mux(self._stream.encode(frame))
        self._last = tick  # now, so that Ctrl-C before it leaves an empty video empty

    def finish(self) -> None:
        """Writes what the encoder still holds, and closes the file.

        Raises:
            UserError: The disk is full.
        """
        with self._as_user_error():
            if self._stream is not None:
                self._container.mux(self._stream.encode())
            self._container.close()

    def abandon(self) -> None:
        """Closes the file as it is."""
        with suppress(self._av.FFmpegError):  # closing fails as writing did
            self._container.close()

    def _open_stream(self) -> Any:
        encoder = next(name for name in _ENCODERS if name in self._av.codecs_available)
        with self._as_user_error():
            stream = self._container.add_stream(encoder, self._rate, dict(_ENCODERS[encoder]))
            stream.width, stream.height = self._size
            stream.pix_fmt = "yuv420p"
            context = stream.codec_context
            context.time_base = Fraction(1, _TICKS)
            context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
            context.color_range = 1  # 16 to 235
            context.open()
        return stream

    @contextmanager
    def _as_user_error(self) -> Iterator[None]:
        with as_user_error(self.path):
            try:
                yield
            except self._av.FFmpegError as error:
                if isinstance(error, OSError):
                    raise
                width, height = self._size
                raise UserError(
                    f"{self.path}: a video of {width} x {height} px cannot be encoded "
                    f"({error.strerror})"
                ) from None


@contextmanager
def writing(path: Path, rate: float | None = None) -> Iterator[VideoWriter]:
    """Opens a video file, which takes its name when the block ends.

    Ctrl-C ends a video: the frames written until then are kept. After any other error, or without a
    frame, no file is left, and an earlier one of that name stays as it was.

    Args:
        path: The file, `.mp4`: H.264, or MPEG-4 where FFmpeg has no encoder for it.
        rate: The mean rate to state [frames/s]; the times of the frames hold.

    Raises:
        UserError: The file cannot be written, its name ends in something else, the disk is full,
            another process is writing it, or PyAV is not installed.
    """
    if path.suffix.lower() != VIDEO_SUFFIX or is_special(path):
        raise UserError(f"{path}: video is written to files that end in {VIDEO_SUFFIX}")
    interrupted: BaseException | None = None
    with suppress(_Nothing), _alone(path), replacing(path) as file:
        writer = VideoWriter(file.name, path, rate)
        try:
            try:
                yield writer
            # The latter, if the block is in a generator whose consumer was interrupted.
            except (KeyboardInterrupt, GeneratorExit) as error:
                interrupted = error
            if writer.empty:
                raise _Nothing
            writer.finish()
        except BaseException:
            writer.abandon()
            raise
    if interrupted is not None:
        raise interrupted


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keeps other processes from writing a file, and removes what one that was killed has left."""
    with as_user_error(path):
        goal = target(path)
    lock = goal.with_name(f".{goal.name}.lock")
    with locked(lock, f"{path}: another process is writing it; wait for it, or name another file"):
        remove_leftovers(goal.parent, glob.escape(goal.name))
        try:
            yield
        finally:
            with suppress(OSError):  # Windows keeps files that are open
                lock.unlink()


class _Nothing(Exception):
    """There was no frame: no file is to be left."""


def _fitted(
    image: UInt8[np.ndarray, "h w 3"], size: tuple[int, int]
) -> UInt8[np.ndarray, "fitted_h fitted_w 3"]:
    """A frame of this width and height [px], as large as it can be inside it."""
    width, height = size
    wide, high = width - image.shape[1], height - image.shape[0]
    if wide in (0, 1) and high in (0, 1):  # a column or row more, which repeats the last
        return cv2.copyMakeBorder(image, 0, high, 0, wide, cv2.BORDER_REPLICATE)
    scale = min(width / image.shape[1], height / image.shape[0])
    inner = (max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1))
    image = cv2.resize(image, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    right, bottom = width - inner[0] - left, height - inner[1] - top
    return cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_CONSTANT)
