"""What becomes of bad pictures and of videos that break off."""

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from one_face import OneFace
from PIL import Image

from amesh.errors import UserError
from amesh.pipeline import face_pipeline, parallel
from amesh.pipeline.face_pipeline import Face
from amesh.pipeline.frames import Source, VideoFrame
from amesh.pipeline.inputs import Picture, find_inputs
from amesh.pipeline.overlays import Overlays, check_outputs
from amesh.pipeline.results import PictureResult
from amesh.pipeline.run import run_pictures, run_video


def picture(path: Path, size: tuple[int, int] = (40, 30)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path)
    return path


def pictures(*sources: Path) -> list[Picture]:
    found = find_inputs([str(source) for source in sources]).found
    return [one for one in found if isinstance(one, Picture)]


def run(inputs: list[Picture], overlays: Overlays | None = None) -> dict[str, PictureResult]:
    return {result["source"]: result for result in run_pictures(OneFace(), inputs, overlays)}


class TestOddEntries:
    """What a folder may hold besides pictures: reported, and the others are done."""

    def errors(self, folder: Path) -> dict[str, str]:
        picture(folder / "good.png")
        inputs = pictures(folder)
        check_outputs(inputs, folder / "faces.jsonl", Overlays(folder / "overlays", alone=False))
        results = run(inputs)
        assert len(results["good.png"]["faces"]) == 1
        return {name: result["error"] for name, result in results.items() if "error" in result}

    def test_links(self, tmp_path: Path) -> None:
        (tmp_path / "loop.jpg").symlink_to("loop.jpg")
        (tmp_path / "one.jpg").symlink_to("two.jpg")
        (tmp_path / "two.jpg").symlink_to("one.jpg")
        (tmp_path / "dangling.jpg").symlink_to("gone.jpg")
        (tmp_path / "folder.jpg").symlink_to(tmp_path)  # linked folders are not entered
        errors = self.errors(tmp_path)
        assert sorted(errors) == ["dangling.jpg", "loop.jpg", "one.jpg", "two.jpg"]
        assert errors["loop.jpg"].endswith("cannot be opened (Too many levels of symbolic links)")
        assert errors["dangling.jpg"].endswith("no such file")

    def test_a_loop_given_by_name(self, tmp_path: Path) -> None:
        (tmp_path / "loop.jpg").symlink_to("loop.jpg")
        [result] = run(pictures(tmp_path / "loop.jpg")).values()
        assert "Too many levels" in result["error"]

    def test_pipes_sockets_and_devices(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)  # a socket's path is short
        os.mkfifo("pipe.png")
        (tmp_path / "device.png").symlink_to("/dev/zero")
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("socket.png")
            errors = self.errors(tmp_path)
        assert sorted(errors) == ["device.png", "pipe.png", "socket.png"]
        assert all(error.endswith("not a regular file") for error in errors.values())

    def test_names_that_are_not_text(self, tmp_path: Path) -> None:
        name = os.fsdecode(b"caf\xe9\xff.png")
        picture(tmp_path / name)
        (tmp_path / os.fsdecode(b"bad\xff.png")).touch()
        assert list(self.errors(tmp_path)) == [os.fsdecode(b"bad\xff.png")]
        results = run(pictures(tmp_path), Overlays(tmp_path / "overlays", alone=False))
        assert len(results[name]["faces"]) == 1
        assert (tmp_path / "overlays" / f"{name}.png").is_file()

    def test_a_folder_that_cannot_be_listed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        picture(tmp_path / "locked" / "b.png")
        listing = os.scandir

        def scandir(path: str) -> object:
            if Path(path).name == "locked":
                raise PermissionError(13, "Permission denied", str(path))
            return listing(path)

        monkeypatch.setattr(os, "scandir", scandir)
        errors = self.errors(tmp_path)
        assert list(errors) == ["locked"]
        assert errors["locked"].endswith("locked: cannot be listed (Permission denied)")
        with pytest.raises(UserError, match="cannot be listed"):
            pictures(tmp_path / "locked")


def test_a_picture_that_needs_too_much_memory_does_not_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = picture(tmp_path / "large.png", (300, 200))
    inputs = pictures(large, picture(tmp_path / "small.png"))
    call = OneFace.__call__

    def fill(self: OneFace, image: np.ndarray) -> list[face_pipeline.Face]:
        if image.shape[1] == 300:
            raise MemoryError
        return call(self, image)

    monkeypatch.setattr(OneFace, "__call__", fill)
    results = list(run(inputs).values())
    assert results[0]["error"].endswith("large.png: not enough memory for it")
    assert len(results[1]["faces"]) == 1


@pytest.mark.parametrize("workers", [2, 5])
def test_workers_change_nothing(tmp_path: Path, workers: int) -> None:
    folder = tmp_path / "folder"
    for i in range(12):
        picture(folder / f"{i:02}.png", (40 + i, 300 - 20 * i))
    (folder / "03.png").write_text("no picture")
    (folder / "07.png").unlink()
    (folder / "07.png").symlink_to("gone.png")
    inputs = pictures(folder)
    alone = list(run_pictures(OneFace(), inputs, Overlays(tmp_path / "one", alone=False)))
    together = Overlays(tmp_path / "many", alone=False)
    assert list(run_pictures(OneFace(), inputs, together, workers=workers)) == alone
    assert [one["source"] for one in alone if "error" in one] == ["03.png", "07.png"]
    one, many = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("one", "many")
    )
    assert len(one) == 10
    assert one == many


def test_workers_keep_pictures_that_need_too_much_memory_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit of pixels holds for all that are in memory at the same time."""
    monkeypatch.setattr(parallel, "_PER_WORKER", 1)
    inputs = pictures(*(picture(tmp_path / f"{i}.png", (50, 40)) for i in range(8)))
    lock, held, most = threading.Lock(), 0, 0
    call = OneFace.__call__

    def note(self: OneFace, image: np.ndarray) -> list[Face]:
        nonlocal held, most
        with lock:
            held += 1
            most = max(most, held)
        faces = call(self, image)
        with lock:
            held -= 1
        return faces

    monkeypatch.setattr(OneFace, "__call__", note)
    limits = {3999: 1, 4000: 2}  # 2000 each
    for limit, pictures_at_once in limits.items():
        most = 0
        results = run_pictures(OneFace(seconds=0.01), inputs, max_pixels=limit, workers=4)
        assert all("faces" in one for one in results)
        assert most == pictures_at_once


class Frames(Source):
    """Frames that are all alike; then what is to happen, if anything."""

    def __init__(
        self, number: int, error: str = "", problem: str = "", memory: bool = False
    ) -> None:
        super().__init__("clip.mp4", number)
        self.number, self.error, self.says, self.memory = number, error, problem, memory

    def __iter__(self) -> Iterator[VideoFrame]:
        for index in range(self.number):
            yield VideoFrame(2 * index, index / 10, np.zeros((30, 40, 3), np.uint8))
        if self.memory:
            raise MemoryError
        if self.error:
            raise UserError(self.error)
        self.problem = self.says

    def close(self) -> None:
        pass


class TestVideo:
    def test_each_frame_has_a_result_with_its_number_and_time(self) -> None:
        times, drawn = [], []

        def process(image: np.ndarray, time: float) -> list[Face]:
            times.append(time)
            return OneFace()(image)

        def draw(frame: VideoFrame, faces: list[Face]) -> None:
            drawn.append((frame.index, len(faces)))

        results = list(run_video(process, "a/clip.mp4", Frames(3), [draw]))
        assert [(one["frame"], one["time"]) for one in results] == [(0, 0), (2, 0.1), (4, 0.2)]
        assert {one["source"] for one in results} == {"a/clip.mp4"}
        assert [one["size"] for one in results] == [[40, 30]] * 3
        assert [len(one["faces"]) for one in results] == [1] * 3
        assert times == [0, 0.1, 0.2]
        assert drawn == [(0, 1), (2, 1), (4, 1)]

    @pytest.mark.parametrize(
        ("source", "frame", "time"),
        [
            (Frames(2, problem="cut short"), 3, 0.1),
            (Frames(2, error="cut short"), 3, 0.1),
            (Frames(0, error="cut short"), 0, 0),
            (Frames(2, memory=True), 3, 0.1),
        ],
    )
    def test_a_video_that_breaks_off_ends_with_an_error(
        self, source: Source, frame: int, time: float
    ) -> None:
        *good, last = run_video(lambda *_: [], "clip.mp4", source)
        assert all("faces" in one for one in good)
        assert last["error"] in ("cut short", "clip.mp4: not enough memory for its frames")
        assert (last["frame"], last["time"], last["size"]) == (frame, time, None)
