"""Opens a source of video by what the user calls it: a file, an address, a camera."""

import os
import re
import sys
from collections.abc import Callable
from numbers import Integral
from pathlib import Path

from amesh.errors import UserError
from amesh.files import check_readable
from amesh.pipeline.camera import Camera
from amesh.pipeline.frames import Source
from amesh.pipeline.live import Newest
from amesh.pipeline.video_file import VideoFile

VIDEO_SUFFIXES = (
    *(".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv"),
    *(".3gp", ".flv", ".m2ts", ".mts", ".ogv", ".ts"),
)

_KINDS = "give a file, an address, or a camera, such as cam:0 or 0"
_CAMERA = re.compile(r"cam:(\d{1,4})")
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
# Others, such as http, serve files as well as live streams.
_LIVE = ("rtsp", "rtsps", "rtmp", "rtmps", "rtp", "udp", "srt")


def is_video(source: str) -> bool:
    """Whether the name of a source is that of a camera, an address or a video file."""
    return is_camera_or_address(source) or Path(source).suffix.lower() in VIDEO_SUFFIXES


def is_camera_or_address(source: str) -> bool:
    """Whether the name of a source is that of a camera or an address."""
    return bool(_CAMERA.fullmatch(source) or _ADDRESS.match(source))


def without_password(source: str) -> str:
    """The name of a source, fit to be shown: an address without user and password."""
    return re.sub(r"(?<=://)[^/]*@", "", source) if _ADDRESS.match(source) else source


def open_source(
    source: str | int | os.PathLike[str], wanted: Callable[[int], bool] = lambda _: True
) -> Source:
    """Opens a source of video.

    Frames are upright and RGB, whatever their pixel format, with the source's own times. Each has a
    size of its own, which may change in the middle. Of a live source (a camera, or a stream without
    an end), the newest frame is taken; those that the consumer was too slow for are counted in
    `skipped`.

    Args:
        source: A file, an address such as `rtsp://host/stream`, or a camera: `cam:0` or 0.
        wanted: Whether a frame of a file is needed, by its index: the others are left out.

    Examples:
        >>> with open_source("clip.mp4") as source:
        ...     times = [frame.time for frame in source]

    Raises:
        UserError: There is no such source, it holds no video, or a package is missing.
    """
    if isinstance(source, Integral) and not isinstance(source, bool):
        source = f"cam:{source}"
    if not isinstance(source, str | os.PathLike):
        raise UserError(f"a video cannot be a {type(source).__name__}; {_KINDS}")
    name = os.fspath(source)
    if not isinstance(name, str):
        raise UserError(f"the path of a video cannot be {type(name).__name__}; {_KINDS}")
    if camera := _CAMERA.fullmatch(name):
        return Newest(Camera(int(camera[1])))
    if name.lower().startswith("cam:") and not Path(name).exists():
        raise UserError(f"{name}: no such camera; give cam:0 for the first one")
    if address := _ADDRESS.match(name):
        video = VideoFile(without_password(name), name, wanted, remote=True)
        live = address[1].lower() in _LIVE or video.endless
        return Newest(video) if live else video
    check_readable(Path(name), limit=sys.maxsize)  # FFmpeg would wait for a pipe
    # A prefix, because FFmpeg takes everything before a colon for a protocol.
    return VideoFile(name, f"file:{name}", wanted)
