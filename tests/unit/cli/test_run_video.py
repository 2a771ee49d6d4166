"""`amesh run` on videos and cameras; a tracker stands in for the networks."""

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from clips import ramp, write_clip
from one_face import OneFace
from PIL import Image

from amesh.cli import main, run
from amesh.errors import how_to_install
from amesh.pipeline.face_pipeline import Face
from amesh.pipeline.frames import VideoFrame
from amesh.pipeline.video import open_source

pytest.importorskip("av", reason="needs PyAV: pip install '.[video]'")


class OneTrack:
    """Follows the face of `OneFace`; the size of the face says how many frames it has seen."""

    def __init__(self, at_frame: Callable[[int], None]) -> None:
        self.pipeline, self.seen, self.at_frame = OneFace(), 0, at_frame

    def process(self, image: np.ndarray, time: float) -> list[Face]:
        self.at_frame(self.seen)
        self.seen += 1
        [face] = self.pipeline(image)
        return [Face(0, 0.9, face.landmarks * self.seen, face.roi)]


@pytest.fixture(autouse=True)
def networks(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], None]], None]:
    """Replaces the networks; the fixture sets what happens at each frame of a video."""

    def set_up(at_frame: Callable[[int], None]) -> None:
        monkeypatch.setattr(run, "open_tracker", lambda _: lambda: OneTrack(at_frame))

    monkeypatch.setattr(run, "open_face_mesh", lambda _: OneFace())
    set_up(lambda _: None)
    return set_up


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "films" / "a.mov", ramp(6), times=[0, 0.1, 0.2, 0.5, 0.6, 1])


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def read(path: Path) -> list[VideoFrame]:
    with open_source(path) as source:
        return list(source)


def test_each_frame_has_a_line(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(clip)]) == 0
    said = capsys.readouterr()
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert [one["frame"] for one in lines] == list(range(6))
    assert [one["time"] for one in lines] == pytest.approx([0, 0.1, 0.2, 0.5, 0.6, 1], abs=1e-3)
    assert {one["source"] for one in lines} == {str(clip)}
    assert [one["faces"][0]["id"] for one in lines] == [0] * 6
    assert said.err == "1 track in 6 frames\n"


def test_the_overlay_is_a_video_with_the_times_of_its_source(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for place, file in (("over.mp4", "over.mp4"), ("drawn", "drawn/a.mov.mp4")):
        words = ["run", str(clip), "--draw", str(tmp_path / place), "--scale", "2"]
        assert main(words) == 0
        assert not capsys.readouterr().out
        drawn = read(tmp_path / file)
        times = [frame.time for frame in read(clip)]
        assert [frame.time for frame in drawn] == pytest.approx(times, abs=1e-3)
        assert drawn[0].image.shape == (96, 128, 3)
        assert drawn[0].image[60:80, 60:80].std() > 5, "there is a mesh"


def test_an_overlay_that_is_no_video_is_refused(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(clip), "--draw", str(tmp_path / "over.png")]) == 2
    assert "over.png: give a folder, or a file in .mp4" in capsys.readouterr().err
    assert main(["run", str(clip), "--draw", str(clip.parent / "a.mp4"), "--output", "a.mp4"]) == 2
    assert "the records are JSON lines" in capsys.readouterr().err


def test_pictures_and_videos_together(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    (tmp_path / "text.mp4").write_text("no video")
    output = tmp_path / "faces.jsonl"
    names = [str(tmp_path / "a.png"), str(tmp_path / "text.mp4"), str(clip)]
    assert main(["run", *names, "--output", str(output)]) == 1
    lines = records(output)
    assert [one["source"] for one in lines] == [*names[:2], *names[2:] * 6]
    assert lines[1]["size"] is None
    said = capsys.readouterr().err.splitlines()
    assert (
        said[0]
        == f"amesh: {names[1]}: not a video that can be read; it may be damaged or cut short"
    )
    assert said[1] == f"1 face in 1 picture; 1 track in 6 frames: {output}"
    assert main(["run", names[1]]) == 2
    assert main(["run", str(clip.parent)]) == 0  # a folder of videos


def test_a_clip_cut_short_keeps_its_frames_and_fails_in_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(0)
    noise = [random.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(80)]
    path = write_clip(tmp_path / "a.mkv", noise)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert main(["run", str(path), "--draw", str(tmp_path / "over.mp4")]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"amesh: {path}: ends after")
    assert 30 < len(read(tmp_path / "over.mp4")) < 50
    assert main(["run", str(path)]) == 1
    *good, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert all("faces" in one for one in good)
    assert last["frame"] == len(good)
    assert "ends after" in last["error"]


@pytest.mark.parametrize("moment", [7, 11, 12])
def test_a_video_is_followed_again_from_its_start_after_an_interruption(
    moment: int,
    clip: Path,
    tmp_path: Path,
    networks: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    (clip.parent / "b.mov").write_bytes(clip.read_bytes())
    (clip.parent / "c.mov").write_bytes(clip.read_bytes())
    words = ["run", str(clip.parent), "--draw", str(tmp_path / "drawn")]
    whole, output = tmp_path / "whole.jsonl", tmp_path / "faces.jsonl"
    assert main([*words, "--output", str(whole)]) == 0
    frames = iter(range(100))

    def interrupt(_: int) -> None:
        if next(frames) == moment:
            raise KeyboardInterrupt

    networks(interrupt)
    assert main([*words, "--output", str(output)]) == 130
    assert f"{moment} frames done, in {output}.part" in capsys.readouterr().err
    assert len(records(tmp_path / "faces.jsonl.part")) == moment
    opened: list[int] = []
    networks(opened.append)
    assert main([*words, "--output", str(output), "--resume"]) == 0
    said = capsys.readouterr().err
    assert f"{moment} frames done before" in said
    assert "3 tracks in 18 frames" in said
    assert output.read_text() == whole.read_text()
    assert len(opened) == 12, "a.mov is done; b.mov begins again"
    drawn = [len(read(tmp_path / "drawn" / f"{name}.mov.mp4")) for name in "abc"]
    assert drawn == [6, 6, 6]
    assert main([*words, "--output", str(output), "--resume"]) == 0
    assert "finished already" in capsys.readouterr().err


def test_ctrl_c_leaves_the_frames_drawn_so_far(
    clip: Path, tmp_path: Path, networks: Callable[..., None]
) -> None:
    def interrupt(frame: int) -> None:
        if frame == 4:
            raise KeyboardInterrupt

    networks(interrupt)
    assert main(["run", str(clip), "--draw", str(tmp_path / "over.mp4")]) == 130
    assert len(read(tmp_path / "over.mp4")) == 4


def test_pyav_is_missed_before_the_networks_are_loaded(
    clip: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.delattr(run, "open_tracker")
    assert main(["run", str(clip)]) == 2
    assert capsys.readouterr().err == f"amesh: video needs PyAV: {how_to_install('video')}\n"


class Camera:
    """A camera that goes on for ever, or until it is unplugged."""

    frames = 10**9

    def __init__(self, _: int) -> None:
        self.left = self.frames

    def isOpened(self) -> bool:
        return True

    def get(self, _: int) -> float:
        return 0.0

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.left -= 1
        return self.left >= 0, np.zeros((48, 64, 3), np.uint8)

    def release(self) -> None:
        pass


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", Camera)


@pytest.mark.usefixtures("camera")
class TestCamera:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_ctrl_c_is_its_end(
        self,
        number: signal.Signals,
        tmp_path: Path,
        networks: Callable[..., None],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        networks(lambda frame: signal.raise_signal(number) if frame == 3 else None)
        before = signal.getsignal(signal.SIGINT)
        output, drawn = tmp_path / "faces.jsonl", tmp_path / "drawn"
        assert main(["run", "cam:0", "--output", str(output), "--draw", str(drawn)]) == 0
        lines = records(output)
        assert len(lines) == 4
        times = [one["time"] for one in lines]
        assert times == sorted(times)
        assert lines[0]["source"] == "cam:0"
        assert len(read(drawn / "cam-0.mp4")) == 4
        assert signal.getsignal(signal.SIGINT) == before
        said = capsys.readouterr().err
        assert "skipped, to keep up with it" in said
        assert "1 track in 4 frames" in said

    def test_a_second_ctrl_c_ends_the_process(
        self, tmp_path: Path, networks: Callable[..., None]
    ) -> None:
        def interrupt(_: int) -> None:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

        networks(interrupt)
        assert main(["run", "cam:0", "--output", str(tmp_path / "faces.jsonl")]) == 130

    def test_unplugged(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(Camera, "frames", 3)
        assert main(["run", "cam:0"]) == 1
        *good, last = map(json.loads, capsys.readouterr().out.splitlines())
        assert good[-1]["frame"] == 2
        assert last["frame"] == 3
        assert "no more pictures after 3 frames" in last["error"]

    def test_it_cannot_be_resumed(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        output = str(tmp_path / "faces.jsonl")
        assert main(["run", "cam:0", "--output", output, "--resume"]) == 2
        assert "--resume: cam:0 cannot be read again" in capsys.readouterr().err
