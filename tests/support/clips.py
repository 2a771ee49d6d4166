"""Writes tiny clips: every kind of video that `open_source` reads."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np


def grey(brightness: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """A frame, grey but for its left upper quarter, which is red."""
    width, height = size
    frame = np.full((height, width, 3), brightness, np.uint8)
    frame[: height // 2, : width // 2] = (255, 0, 0)
    return frame


def ramp(number: int, size: tuple[int, int] = (64, 48)) -> list[np.ndarray]:
    """Frames that say which they are: each is 10 brighter than the one before."""
    return [grey(10 * i, size) for i in range(number)]


def write_clip(
    path: Path,
    frames: Iterable[np.ndarray],
    codec: str = "libx264",
    pixels: str = "yuv420p",
    times: Sequence[float] | None = None,
    rate: int = 25,
    matrix: Sequence[float] | None = None,
    options: dict[str, str] | None = None,
    format: str | None = None,
    source: str = "rgb24",
) -> Path:
    """Writes a clip.

    Args:
        path: The file.
        frames: Its frames.
        codec: Encoder.
        pixels: Pixel format.
        times: Of the frames [s]; the rate gives them by default.
        rate: Of the frames [1/s].
        matrix: a, b, c, d of the display matrix.
        options: Of the encoder.
        format: Of the file, if its suffix does not say it.
        source: Pixel format of the arrays.
    """
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    base = Fraction(1, rate if times is None else 1000)
    faststart = {"movflags": "faststart"} if path.suffix == ".mp4" else {}
    with av.open(str(path), "w", format=format, options=faststart) as container:
        stream: Any = None
        for i, array in enumerate(frames):
            if stream is None:
                stream = container.add_stream(codec, rate=rate, options=options or {})
                stream.height, stream.width = array.shape[:2]
                stream.pix_fmt = pixels
                stream.codec_context.time_base = base
                if matrix is not None:
                    a, b, c, d = (round(value * 65536) for value in matrix)
                    stream.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])
            frame = av.VideoFrame.from_ndarray(array, format=source)
            frame.pts = i if times is None else round(times[i] * 1000)
            frame.time_base = base
            container.mux(stream.encode(frame))
        if stream is not None:
            container.mux(stream.encode())
    return path


def write_sound(path: Path) -> Path:
    """Writes a second of silence."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        container.mux([*stream.encode(frame), *stream.encode()])
    return path
