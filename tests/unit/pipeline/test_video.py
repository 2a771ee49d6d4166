"""Every kind of clip is read like the one kind: upright, RGB, in order, with its own times."""

import _thread
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from clips import grey, ramp, write_clip, write_sound

from amesh.errors import UserError
from amesh.pipeline import video, video_file
from amesh.pipeline.frames import Source, VideoFrame
from amesh.pipeline.video import is_video, open_source

av = pytest.importorskip("av", reason="needs PyAV: pip install '.[video]'")

RED, BLACK = (255, 0, 0), (0, 0, 0)


def read(path: Path) -> list[VideoFrame]:
    with open_source(path) as source:
        frames = list(source)
    assert not source.problem
    return frames


def brightness(frames: list[VideoFrame]) -> list[int]:
    """Of the lower right corner."""
    return [int(frame.image[-4, -4, 1]) for frame in frames]


def assert_colour(pixel: np.ndarray, colour: tuple[int, ...], atol: int = 5) -> None:
    np.testing.assert_allclose(pixel.astype(int), colour, atol=atol)


def noise(number: int, size: tuple[int, int] = (64, 48)) -> list[np.ndarray]:
    """Frames that do not compress, so that a cut loses some."""
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8) for _ in range(number)]


class TestPixels:
    @pytest.mark.parametrize(
        ("codec", "pixels", "size", "suffix"),
        [
            ("libx264", "yuv420p", (64, 48), "mp4"),
            ("libx264", "yuv444p", (63, 47), "mp4"),  # odd
            ("mpeg4", "yuv420p", (61, 35), "avi"),
            ("libx265", "yuv420p10le", (64, 48), "mp4"),  # 10 bit
            ("mjpeg", "yuvj420p", (64, 48), "mov"),
            ("libvpx-vp9", "yuv420p", (64, 48), "webm"),
            ("prores_ks", "yuv422p10le", (64, 48), "mov"),
        ],
    )
    def test_a_frame_has_the_pixels_that_were_written(
        self, codec: str, pixels: str, size: tuple[int, int], suffix: str, tmp_path: Path
    ) -> None:
        path = tmp_path / f"clip.{suffix}"
        options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
        write_clip(path, ramp(12, size), codec, pixels, options=options)
        frames = read(path)
        assert [frame.index for frame in frames] == list(range(12))
        assert brightness(frames) == pytest.approx([10 * i for i in range(12)], abs=4)
        for frame in frames:
            assert frame.image.shape == (size[1], size[0], 3)
            assert frame.image.flags.c_contiguous
            assert_colour(frame.image[4, 4], RED, atol=8)

    def test_labels_made_with_opencv_stay_as_they_are(self, tmp_path: Path) -> None:
        smooth = [cv2.GaussianBlur(one, (0, 0), 2) for one in noise(4)]
        options = {"x265-params": "log-level=none"}
        for pixels in ("yuv420p", "yuv420p10le"):
            path = write_clip(tmp_path / "a.mp4", smooth, "libx265", pixels, options=options)
            capture = cv2.VideoCapture(str(path))
            for frame in read(path):
                np.testing.assert_array_equal(frame.image, capture.read()[1][..., ::-1])
            assert not capture.read()[0]

    def test_grey(self, tmp_path: Path) -> None:
        path = write_clip(tmp_path / "a.avi", [grey(0)] * 2, "ffv1", "gray")
        image = read(path)[0].image
        assert image.shape == (48, 64, 3)
        assert len({*map(int, image[4, 4])}) == 1
        assert image[4, 4, 0] > image[40, 40, 0]

    def test_transparent_pixels_lie_on_white(self, tmp_path: Path) -> None:
        layers = [np.dstack([grey(0), np.full((48, 64), a, np.uint8)]) for a in (0, 51, 255)]
        path = write_clip(tmp_path / "a.mov", layers, "png", "rgba", source="rgba")
        assert brightness(read(path)) == [255, 204, 0]
        assert_colour(read(path)[1].image[4, 4], (255, 204, 204), atol=0)

    def test_a_size_that_changes_in_the_middle(self, tmp_path: Path) -> None:
        parts = [write_clip(tmp_path / f"{i}.ts", ramp(3, (64 + 32 * i, 48))) for i in range(2)]
        path = tmp_path / "both.ts"
        path.write_bytes(b"".join(part.read_bytes() for part in parts))
        widths = [frame.image.shape[1] for frame in read(path)]
        assert widths == [64, 64, 64, 96, 96, 96]


class TestOrientation:
    # Where the red corner of the stored frame is shown: (row, column), 0 first, -1 last.
    @pytest.mark.parametrize(
        ("matrix", "red"),
        [
            ((1, 0, 0, 1), (0, 0)),
            ((0, 1, -1, 0), (0, -1)),  # a quarter turn clockwise
            ((-1, 0, 0, -1), (-1, -1)),
            ((0, -1, 1, 0), (-1, 0)),
            ((-1, 0, 0, 1), (0, -1)),  # mirrored
            ((1, 0, 0, -1), (-1, 0)),
            ((0, 1, 1, 0), (0, 0)),
            ((0, -1, -1, 0), (-1, -1)),
        ],
    )
    def test_frames_are_upright(
        self, matrix: tuple[int, ...], red: tuple[int, int], tmp_path: Path
    ) -> None:
        image = read(write_clip(tmp_path / "a.mp4", ramp(1), matrix=matrix))[0].image
        turned = matrix[0] == 0
        assert image.shape == ((64, 48, 3) if turned else (48, 64, 3))
        for row in (0, -1):
            for column in (0, -1):
                colour = RED if (row, column) == red else BLACK
                assert_colour(
                    image[row * 4 + 3 * (row == 0), column * 4 + 3 * (column == 0)], colour
                )

    def test_data_of_unknown_kinds_beside_the_matrix(self) -> None:
        class Frame:
            rotation = -90  # clockwise

            @property
            def side_data(self) -> Any:
                raise ValueError("33 is not a valid Type")

        stored: Any = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
        shown = video_file._turned(stored, Frame())  # type: ignore[arg-type]
        np.testing.assert_array_equal(shown, np.rot90(stored, -1))


class TestTimes:
    def test_of_a_variable_rate(self, tmp_path: Path) -> None:
        times = [0, 0.1, 0.15, 0.7, 0.71, 2]
        frames = read(write_clip(tmp_path / "a.mp4", ramp(6), times=times))
        assert [frame.time for frame in frames] == pytest.approx(times, abs=1e-3)

    def test_of_b_frames(self, tmp_path: Path) -> None:
        options = {"bf": "3", "b_strategy": "0"}
        frames = read(write_clip(tmp_path / "a.mp4", ramp(20), options=options))
        assert brightness(frames) == pytest.approx([10 * i for i in range(20)], abs=3)
        assert [frame.time for frame in frames] == pytest.approx(np.arange(20) / 25, abs=1e-3)

    def test_of_a_broadcast_start_at_zero(self, tmp_path: Path) -> None:
        times = [100 + i / 25 for i in range(4)]
        frames = read(write_clip(tmp_path / "a.ts", ramp(4), times=times))
        assert [frame.time for frame in frames] == pytest.approx(np.arange(4) / 25, abs=1e-3)

    def test_go_on_where_a_file_was_appended(self, tmp_path: Path) -> None:
        part = write_clip(tmp_path / "a.ts", [grey(0)] * 50).read_bytes()
        path = tmp_path / "both.ts"
        path.write_bytes(part * 2)
        times = [frame.time for frame in read(path)]
        assert len(times) == 100
        assert times[-1] == pytest.approx(98 / 25, abs=1e-3)
        assert min(np.diff(times)) >= 0


class TestSource:
    def test_states_what_the_file_states(self, tmp_path: Path) -> None:
        with open_source(str(write_clip(tmp_path / "a.mp4", ramp(10)))) as source:
            assert (source.frames, source.rate, source.live) == (10, 25, False)
        with open_source(write_clip(tmp_path / "a.mkv", ramp(10))) as source:
            assert source.frames == 10  # from its length
        with open_source(write_clip(tmp_path / "a.h264", ramp(10))) as source:
            assert source.frames is None
            assert len(list(source)) == 10

    def test_frames_that_are_not_wanted_are_counted(self, tmp_path: Path) -> None:
        path = write_clip(tmp_path / "a.mp4", ramp(10))
        with open_source(path, lambda index: index % 4 == 1) as source:
            assert [(frame.index, frame.time) for frame in source] == [
                (1, 0.04),
                (5, 0.2),
                (9, 0.36),
            ]

    @pytest.mark.parametrize("name", [b"caf\xe9.mp4", b"http:clip.mp4", b"a%03d.mp4", b"cam:1.mp4"])
    def test_odd_names(self, name: bytes, tmp_path: Path) -> None:
        path = tmp_path / os.fsdecode(name)
        path.write_bytes(write_clip(tmp_path / "a.mp4", ramp(3)).read_bytes())
        assert len(read(path)) == 3

    def test_names(self) -> None:
        names = [
            "a.MP4",
            "cam:0",
            "rtsp://host/a",
            "HTTP://host/a.jpg",
            "b.jpg",
            "cam",
            "a.mp4.png",
        ]
        assert [name for name in names if is_video(name)] == names[:4]


class TestBadInput:
    @pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi"])
    def test_a_clip_cut_short_gives_its_frames_and_a_warning(
        self, suffix: str, tmp_path: Path
    ) -> None:
        codec = "mpeg4" if suffix == "avi" else "libx264"
        whole = write_clip(tmp_path / f"whole.{suffix}", noise(100), codec).read_bytes()
        path = tmp_path / f"cut.{suffix}"
        path.write_bytes(whole[: len(whole) * 6 // 10])
        with open_source(path) as source:
            number = len(list(source))
        assert 50 < number < 65
        assert source.problem.startswith(f"{path}: ")
        assert source.problem.endswith(f"frames that could be read: {number}")

    def test_a_frame_that_cannot_be_converted_is_left_out(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import av

        convert, seen = video_file._upright_rgb, []

        def refuse(frame: Any, reformatter: Any) -> np.ndarray:
            seen.append(frame)
            if len(seen) == 2:
                raise av.error.OSError(22, "Invalid argument")
            return convert(frame, reformatter)

        monkeypatch.setattr(video_file, "_upright_rgb", refuse)
        with open_source(write_clip(tmp_path / "a.mp4", ramp(4))) as source:
            assert [frame.index for frame in source] == [0, 2, 3]
        assert "frame 1 cannot be converted: Invalid argument" in source.problem

    def test_a_damaged_clip_gives_its_good_frames(self, tmp_path: Path) -> None:
        path = write_clip(tmp_path / "a.avi", noise(30), "mpeg4", options={"g": "1"})
        content = bytearray(path.read_bytes())
        first = content.find(b"00dc", len(content) // 2) + 8
        content[first : first + 2000] = bytes(2000)
        path.write_bytes(content)
        with open_source(path) as source:
            number = len(list(source))
        assert 25 <= number < 30
        assert "damaged (1 of its packets" in source.problem

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("text.mp4", r"text\.mp4: not a video that can be read"),
            ("sound.mp4", "no video in it, only audio"),
            ("empty.mp4", "the file is empty"),
            ("pipe.mp4", "not a regular file"),
            ("gone.mp4", "no such file"),
            ("folder.mp4", "a folder, not a file"),
            ("noindex.mp4", "may be damaged or cut short"),
            ("noframe.avi", "no frame in this video can be read"),
        ],
    )
    def test_what_is_no_video_is_refused(self, name: str, message: str, tmp_path: Path) -> None:
        (tmp_path / "text.mp4").write_text("no video")
        write_sound(tmp_path / "sound.mp4")
        (tmp_path / "empty.mp4").touch()
        os.mkfifo(tmp_path / "pipe.mp4")
        (tmp_path / "folder.mp4").mkdir()
        whole = write_clip(tmp_path / "a.mov", ramp(3)).read_bytes()
        (tmp_path / "noindex.mp4").write_bytes(whole[: whole.index(b"moov") - 4])
        whole = write_clip(tmp_path / "a.avi", ramp(3), "mpeg4").read_bytes()
        (tmp_path / "noframe.avi").write_bytes(whole[: whole.index(b"movi") + 4])
        with pytest.raises(UserError, match=message), open_source(tmp_path / name) as source:
            list(source)

    def test_no_answer_from_an_address(self) -> None:
        with pytest.raises(UserError, match=r"refused.*; check the address"):
            open_source("http://127.0.0.1:1/clip.mp4")

    def test_ctrl_c_ends_the_wait_for_an_answer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        over = threading.Event()

        def silent(*_args: object, **_options: object) -> None:
            """As PyAV does, which loses the exception that Ctrl-C raises in its callback."""
            with suppress(KeyboardInterrupt):
                _thread.interrupt_main()
                over.wait(20)
            raise av.FFmpegError(1, "no answer")

        monkeypatch.setattr(av, "open", silent)
        with pytest.raises(KeyboardInterrupt):
            open_source("http://127.0.0.1:1/clip.mp4")
        over.set()

    def test_pyav_is_not_installed(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setitem(sys.modules, "av", None)
        (tmp_path / "a.mp4").write_text("x")
        with pytest.raises(UserError, match=r"install .*'\.\[video\]'"):
            open_source(tmp_path / "a.mp4")


@pytest.mark.parametrize(
    ("address", "duration", "live"),
    [
        ("rtsp://host/door", None, True),
        ("http://host/live.m3u8", None, True),
        ("http://host/clip.mp4", 3.0, False),
        ("udp://host:1", 3.0, True),
    ],
)
def test_which_addresses_are_live(
    address: str, duration: float | None, live: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Opened(Source):
        endless = duration is None

        def __init__(self, name: str, location: str, wanted: object, remote: bool) -> None:
            assert (location, remote) == (address, True)
            super().__init__(name)

        def __iter__(self) -> Iterator[VideoFrame]:
            yield from ()

        def close(self) -> None:
            pass

    monkeypatch.setattr(video, "VideoFile", Opened)
    with open_source(address) as source:
        assert (source.name, source.live) == (address, live)
