"""Reads the frames of video files and addresses with PyAV (FFmpeg's libraries)."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from fractions import Fraction
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
from jaxtyping import UInt8

from amesh.errors import UserError, how_to_install, reason_of
from amesh.pipeline.frames import Clock, Source, VideoFrame

if TYPE_CHECKING:
    from av import Packet
    from av.container import InputContainer
    from av.video.frame import VideoFrame as Decoded
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream

# Longest wait for an address to answer, and for each packet after that [s].
_TIMEOUT = (20, 10)
# A clip that ends this much before it should is cut short [s].
_MISSING = 1.0


def pyav() -> ModuleType:
    """Imports PyAV.

    Raises:
        UserError: It is not installed.
    """
    try:
        import av
    except ModuleNotFoundError:
        raise UserError(f"video needs PyAV: {how_to_install('video')}") from None
    return av


class VideoFile(Source):
    """A file, or an address that FFmpeg knows."""

    def __init__(
        self,
        name: str,
        location: str,
        wanted: Callable[[int], bool] = lambda _: True,
        remote: bool = False,
    ) -> None:
        """Opens it.

        Args:
            name: For messages.
            location: Its URL.
            wanted: Whether a frame is needed, by its index. The others are decoded, because frames
                depend on each other, but neither converted nor handed out.
            remote: Whether it is reached by a network.

        Raises:
            UserError: It cannot be opened, or holds no video.
        """
        av = pyav()
        self._wanted, self._remote = wanted, remote
        try:
            opening = partial(
                av.open,
                location,
                options={"rtsp_transport": "tcp"} if location.startswith("rtsp") else {},
                metadata_errors="replace",  # titles in other encodings
                timeout=_TIMEOUT if remote else None,
            )
            self._container: InputContainer = _interruptible(opening) if remote else opening()
        except av.FFmpegError as error:
            raise UserError(_cannot_open(name, remote, error)) from None
        try:
            self._stream = _video_stream(self._container, name)
        except UserError:
            self._container.close()
            raise
        if not remote:
            # Several frames at a time: faster, but a stream would lag behind by as many.
            self._stream.thread_type = "AUTO"
        self._reformatter = av.video.reformatter.VideoReformatter()
        rate = self._stream.average_rate or self._stream.guessed_rate
        self._duration = _duration(self._container, self._stream)
        frames = self._stream.frames
        if not frames and rate and self._duration:
            frames = round(rate * self._duration)
        super().__init__(name, frames or None, float(rate) if rate else None)
        self._clock = Clock(rate)

    @property
    def endless(self) -> bool:
        """Whether it states no end."""
        return self._duration is None

    def close(self) -> None:
        """Closes the file or connection."""
        self._container.close()

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yields the wanted frames.

        Raises:
            UserError: No frame can be decoded.
        """
        index, time = -1, 0.0
        for index, frame in enumerate(self._decoded()):
            # The last frames, which the decoder held, have no time base of their own.
            base = self._stream.time_base
            time = self._clock(None if frame.pts is None or base is None else frame.pts * base)
            if not self._wanted(index):
                continue
            try:
                image = _upright_rgb(frame, self._reformatter)
            except pyav().FFmpegError as error:
                self.problem = f"frame {index} cannot be converted: {reason_of(error)}"
                continue
            yield VideoFrame(index, time, image)
        if index < 0:
            reason = f" ({self.problem})" if self.problem else ""
            raise UserError(f"{self.name}: no frame in this video can be read{reason}")
        if not self.problem and self._duration and not self._remote:
            end = time + (1 / self.rate if self.rate else 0)
            if end < self._duration - _MISSING:
                self.problem = f"ends after {end:.1f} of {float(self._duration):.1f} s"
        if self.problem:
            self.problem = f"{self.name}: {self.problem}; frames that could be read: {index + 1}"

    def _decoded(self) -> Iterator["Decoded"]:
        """The frames that can be decoded; notes why there are not more."""
        damaged = 0
        for packet in self._packets():
            frames, bad = _decode(self._stream, packet)
            damaged += bad
            yield from frames
        if damaged and not self.problem:
            self.problem = f"damaged ({damaged} of its packets cannot be decoded)"

    def _packets(self) -> Iterator["Packet[VideoStream] | None"]:
        """The packets of the stream; then None, for the frames that the decoder still holds."""
        av = pyav()
        try:
            for packet in self._container.demux(self._stream):
                if packet.size:  # those without data flush the decoder
                    yield packet
        except av.FFmpegError as error:
            late = isinstance(error, av.error.ExitError)
            reason = f"no data for {_TIMEOUT[1]} s" if late else reason_of(error)
            self.problem = f"broke off: {reason}"
        yield None


def _interruptible(call: Callable[[], Any]) -> Any:
    """Calls what waits for a network, so that Ctrl-C ends the wait at once.

    PyAV looks for a timeout in a callback, and would lose a KeyboardInterrupt that is raised there.
    So the call has a thread of its own, which is left alone after Ctrl-C: it ends with its timeout.
    """
    answer: Future[Any] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # raised in the caller's thread
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    while not wait([answer], timeout=0.2).done:  # unlimited, Windows would not see Ctrl-C
        pass
    return answer.result()


def _decode(
    stream: "VideoStream", packet: "Packet[VideoStream] | None"
) -> tuple[list["Decoded"], bool]:
    """The frames that a packet completes, and whether it is damaged."""
    av = pyav()
    try:
        return stream.decode(packet), False
    except av.error.EOFError:  # already drained
        return [], False
    except av.FFmpegError:
        return [], True


def _upright_rgb(frame: "Decoded", reformatter: "VideoReformatter") -> UInt8[np.ndarray, "h w 3"]:
    """The pixels of a frame as a player shows them; transparent ones lie on white.

    Args:
        frame: From a stream.
        reformatter: Of this stream: setting one up takes as long as decoding a frame.
    """
    alpha = any(part.is_alpha for part in frame.format.components)
    # BGR and bicubic, because OpenCV reads so: the dither of more than 8 bits depends on both.
    pixels = reformatter.reformat(
        frame, format="bgra" if alpha else "bgr24", interpolation="BICUBIC", threads=1
    ).to_ndarray()
    if alpha:
        opaque = pixels[..., 3:].astype(np.uint16)
        blended = pixels[..., :3] * opaque + 255 * (255 - opaque)
        pixels = ((blended + 127) // 255).astype(np.uint8)
    return np.ascontiguousarray(_turned(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), frame))


def _turned(
    pixels: UInt8[np.ndarray, "h w 3"], frame: "Decoded"
) -> UInt8[np.ndarray, "upright_h upright_w 3"]:
    """Applies the display matrix of a frame, to the nearest quarter turn.

    The matrix (a b u, c d v, x y w) sends column p and row q of the stored frame to column
    a p + c q and row b p + d q of the shown one.
    """
    try:
        matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # the frame also has data of a kind that PyAV does not know
        return np.rot90(pixels, round(frame.rotation / 90))
    if matrix is None:
        return pixels
    a, b, _, c, d, *_ = np.frombuffer(bytes(matrix), np.int32).tolist()
    if abs(b) > abs(a):
        pixels, a, d = pixels.swapaxes(0, 1), c, b
    return pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


def _video_stream(container: "InputContainer", name: str) -> "VideoStream":
    """The stream to read."""
    from av.stream import Disposition

    stream = cast("VideoStream | None", container.streams.best("video"))
    if not container.streams:
        raise UserError(_not_a_video(name))
    if stream is None or stream.disposition & Disposition.attached_pic:  # an album's cover
        kinds = sorted({one.type for one in container.streams})
        raise UserError(f"{name}: there is no video in it, only {' and '.join(kinds)}")
    if stream.codec_context is None:
        raise UserError(f"{name}: its codec is not known; convert it, for example to H.264")
    return stream


def _duration(container: "InputContainer", stream: "VideoStream") -> Fraction | None:
    """How long a video states to be [s]."""
    if container.format.name == "avi" and stream.frames and stream.average_rate:
        return stream.frames / stream.average_rate  # FFmpeg would say how long the rest is
    if stream.duration and stream.time_base:
        return stream.duration * stream.time_base
    return Fraction(container.duration, 1_000_000) if container.duration else None


def _cannot_open(name: str, remote: bool, error: Exception) -> str:
    av = pyav()
    if isinstance(error, av.error.ExitError):
        return f"{name}: no answer within {_TIMEOUT[0]} s; check the address"
    if remote:
        return f"{name}: cannot be read ({reason_of(error)}); check the address"
    return _not_a_video(name)


def _not_a_video(name: str) -> str:
    return f"{name}: not a video that can be read; it may be damaged or cut short"
