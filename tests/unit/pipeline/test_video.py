import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from amesh.errors import UserError
from amesh.pipeline.video import count_frames, read_frames


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """25 frames, each as bright as its number says; left half red."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for i in range(25):
        frame = np.full((48, 64, 3), 5 * i, np.uint8)
        frame[:, :32, 2] = 255
        writer.write(frame)
    writer.release()
    return path


def test_every_nth_frame_that_is_wanted_is_read(clip: Path):
    assert count_frames(clip) == 25
    found = dict(read_frames(clip, 10, lambda _: True))
    assert list(found) == [0, 10, 20]
    for number, pixels in found.items():
        assert pixels.shape == (48, 64, 3)
        assert pixels[20, 50, 1] == pytest.approx(5 * number, abs=6)
        assert pixels[20, 10, 0] > 240, "red comes first"
    assert [number for number, _ in read_frames(clip, 1, lambda n: n > 22)] == [23, 24]


def test_no_video(tmp_path: Path):
    path = tmp_path / "text.mp4"
    path.write_text("no video")
    assert count_frames(path) == 0
    with pytest.raises(UserError, match=r"text\.mp4: not a video"):
        list(read_frames(path, 1, lambda _: True))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pipe.mp4", "not a regular file"),
        ("caf\udce9.mp4", "must be UTF-8"),
        ("gone.mp4", "no such"),
    ],
)
def test_a_clip_that_opencv_would_hang_or_crash_on_is_refused(
    tmp_path: Path, name: str, message: str
) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "caf\udce9.mp4").write_bytes(b"x")
    assert count_frames(tmp_path / name) == 0
    with pytest.raises(UserError, match=message):
        next(read_frames(tmp_path / name, 1, lambda _: True))
