import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from clips import grey, ramp

from amesh.errors import UserError
from amesh.pipeline import video_writer
from amesh.pipeline.frames import VideoFrame
from amesh.pipeline.video import open_source
from amesh.pipeline.video_writer import writing

pytest.importorskip("av", reason="needs PyAV: pip install '.[video]'")


def read(path: Path) -> list[VideoFrame]:
    with open_source(path) as source:
        frames = list(source)
    assert not source.problem
    return frames


def write(path: Path, frames: list[np.ndarray], times: list[float]) -> list[VideoFrame]:
    with writing(path) as video:
        for image, time in zip(frames, times, strict=True):
            video.write(image, time)
    return read(path)


@pytest.fixture(params=["libx264", "mpeg4"])
def encoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    name: str = request.param
    options = video_writer._ENCODERS[name]
    monkeypatch.setattr(video_writer, "_ENCODERS", {name: options})
    return name


@pytest.mark.parametrize("size", [(64, 48), (63, 47)])
def test_frames_come_back_with_their_pixels_and_times(
    encoder: str, size: tuple[int, int], tmp_path: Path
) -> None:
    times = [0, 0.04, 0.08, 0.5, 0.533, 2, 2.1, 2.2]
    frames = write(tmp_path / "a.mp4", ramp(8, size), times)
    assert [frame.time for frame in frames] == pytest.approx(times, abs=1e-3)
    for i, frame in enumerate(frames):
        assert frame.image.shape == (48, 64, 3)  # even
        assert frame.image[-4:, -4:].mean() == pytest.approx(10 * i, abs=4)
        np.testing.assert_allclose(frame.image[4, 4].astype(int), (255, 0, 0), atol=12)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_it_is_h264_with_the_colours_of_hd(tmp_path: Path) -> None:
    import av

    write(tmp_path / "a.mp4", ramp(3), [0, 0.1, 0.2])
    with av.open(str(tmp_path / "a.mp4")) as container:
        [stream] = container.streams.video
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert (stream.colorspace, stream.color_range) == (1, 1)  # BT.709, 16 to 235


def test_times_that_stand_still_or_go_back(encoder: str, tmp_path: Path) -> None:
    frames = write(tmp_path / "a.mp4", ramp(6), [0, 0.1, 0.1, 0.05, 0.3, 0.3])
    assert len(frames) == 6
    found = [frame.time for frame in frames]
    assert found == pytest.approx([0, 0.1, 0.1, 0.1, 0.3, 0.3], abs=1e-3)
    assert min(np.diff(found)) > 0


def test_frames_of_another_size_are_scaled_into_the_first(tmp_path: Path) -> None:
    wide = np.full((30, 120, 3), 200, np.uint8)
    small = np.full((12, 16, 3), 200, np.uint8)
    frames = write(tmp_path / "a.mp4", [grey(0), wide, small], [0, 0.1, 0.2])
    assert {frame.image.shape for frame in frames} == {(48, 64, 3)}
    rows = frames[1].image.mean(axis=(1, 2))
    assert rows[18:30].mean() == pytest.approx(200, abs=6)  # 64 x 16
    assert rows[:12].max() < 20 > rows[36:].max()
    assert frames[2].image.mean() == pytest.approx(200, abs=6)  # enlarged


def write_and_raise(path: Path, frames: list[np.ndarray], error: type[BaseException]) -> None:
    with writing(path) as video:
        for i, image in enumerate(frames):
            video.write(image, i / 10)
        raise error


def test_ctrl_c_keeps_the_frames_written_so_far(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with pytest.raises(KeyboardInterrupt):
        write_and_raise(path, ramp(10), KeyboardInterrupt)
    assert len(read(path)) == 10
    assert [one.name for one in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize(("error", "number"), [(KeyboardInterrupt, 0), (ValueError, 1)])
@pytest.mark.parametrize("earlier", [True, False])
def test_without_a_frame_or_after_an_error_an_earlier_file_stays(
    error: type[BaseException], number: int, earlier: bool, tmp_path: Path
) -> None:
    path = tmp_path / "a.mp4"
    if earlier:
        path.write_text("earlier")
    with pytest.raises(error):
        write_and_raise(path, ramp(number), error)
    assert [one.read_text() for one in tmp_path.iterdir()] == (["earlier"] if earlier else [])


def test_a_video_without_frames_leaves_no_file(tmp_path: Path) -> None:
    with writing(tmp_path / "a.mp4"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_generator_that_is_closed_keeps_its_video(tmp_path: Path) -> None:
    def frames() -> Iterator[int]:
        with writing(tmp_path / "a.mp4") as video:
            for i, image in enumerate(ramp(10)):
                video.write(image, i / 10)
                yield i

    drawing = frames()
    assert [next(drawing) for _ in range(4)] == [0, 1, 2, 3]
    drawing.close()
    assert len(read(tmp_path / "a.mp4")) == 4


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    for name in (".a.mp4.0123abcd", ".b.mp4.0123abcd", "a.mp4.part"):
        (tmp_path / name).write_text("x")
    write(tmp_path / "a.mp4", ramp(2), [0, 1])
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [".b.mp4.0123abcd", "a.mp4", "a.mp4.part"]


def test_two_processes_do_not_write_one_file(tmp_path: Path) -> None:
    with writing(tmp_path / "a.mp4") as video:
        video.write(grey(0), 0)
        with pytest.raises(UserError, match="another process is writing it"):
            write(tmp_path / "a.mp4", ramp(2), [0, 1])
    assert len(read(tmp_path / "a.mp4")) == 1


@pytest.mark.parametrize("room", [0, 20_000])
def test_a_full_disk_is_one_line_and_leaves_no_file(room: int, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    random = np.random.default_rng(0)
    noise = [random.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(200)]
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with pytest.raises(UserError, match=r"a\.mp4: cannot be written"):
            write(tmp_path / "a.mp4", noise, [i / 25 for i in range(200)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.avi", "a", "null.mp4"])
def test_other_places_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "null.mp4").symlink_to(os.devnull)
    with (
        pytest.raises(UserError, match=r"files that end in \.mp4"),
        writing(tmp_path / name),
    ):
        pass


def test_a_size_that_no_encoder_takes(tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match="40000 x 2 px cannot be encoded"),
        writing(tmp_path / "a.mp4") as video,
    ):
        video.write(np.zeros((1, 40_000, 3), np.uint8), 0)
    assert not list(tmp_path.iterdir())
