"""Which pictures there are, what becomes of bad ones, and where overlays go."""

import os
import socket
from pathlib import Path

import cv2
import numpy as np
import pytest
from one_face import OneFace
from PIL import Image

from amesh.errors import UserError
from amesh.pipeline import face_pipeline
from amesh.pipeline.results import PictureResult
from amesh.pipeline.run import Overlays, Picture, check_outputs, pictures, run_pictures


def picture(path: Path, size: tuple[int, int] = (40, 30)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path)
    return path


def run(inputs: list[Picture], overlays: Overlays | None = None) -> dict[str, PictureResult]:
    return {result["source"]: result for result in run_pictures(OneFace(), inputs, overlays)}


class TestPictures:
    def test_names_are_relative_to_the_only_folder(self, tmp_path: Path) -> None:
        picture(tmp_path / "deep" / "b.png")
        picture(tmp_path / "a.png")
        assert [one.name for one in pictures([str(tmp_path)])] == ["a.png", "deep/b.png"]

    def test_names_of_several_sources_keep_their_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        picture(Path("one/a.png"))
        picture(Path("two/a.png"))
        assert [one.name for one in pictures(["one", "two/a.png"])] == ["one/a.png", "two/a.png"]

    def test_a_source_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"gone\.png: no such file or folder"):
            pictures([str(tmp_path / "gone.png")])
        with pytest.raises(UserError, match="no picture in this folder"):
            pictures([str(tmp_path)])


class TestOddEntries:
    """What a folder may hold besides pictures: reported, and the others are done."""

    def errors(self, folder: Path) -> dict[str, str]:
        picture(folder / "good.png")
        inputs = pictures([str(folder)])
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
        [result] = run(pictures([str(tmp_path / "loop.jpg")])).values()
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
        results = run(pictures([str(tmp_path)]), Overlays(tmp_path / "overlays", alone=False))
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
            pictures([str(tmp_path / "locked")])


def test_a_picture_that_needs_too_much_memory_does_not_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = picture(tmp_path / "large.png", (300, 200))
    inputs = pictures([str(large), str(picture(tmp_path / "small.png"))])
    call = OneFace.__call__

    def fill(self: OneFace, image: np.ndarray) -> list[face_pipeline.Face]:
        if image.shape[1] == 300:
            raise MemoryError
        return call(self, image)

    monkeypatch.setattr(OneFace, "__call__", fill)
    results = list(run(inputs).values())
    assert results[0]["error"].endswith("large.png: not enough memory for it")
    assert len(results[1]["faces"]) == 1


class TestOverlays:
    def test_each_picture_has_a_name_of_its_own(self, tmp_path: Path) -> None:
        folder, drawn = tmp_path / "photos", tmp_path / "drawn"
        for name in ["a.png", "a.jpg", "a-2.png", "deep/a.png"]:
            picture(folder / name)
        (folder / "a.bmp").write_text("damaged")
        run(pictures([str(folder)]), Overlays(drawn, alone=False))
        found = sorted(path.relative_to(drawn).as_posix() for path in drawn.rglob("*.*"))
        assert found == ["a-2.png.png", "a.jpg.png", "a.png.png", "deep/a.png.png"]

    @pytest.mark.parametrize(
        ("name", "alone", "expected"),
        [
            ("photos/a.jpg", True, "photos/a.jpg.png"),
            ("./photos//a.jpg", True, "photos/a.jpg.png"),
            ("no-suffix", True, "no-suffix.png"),
            ("/data/a.jpg", True, "a.jpg.png"),
            ("/data/a.jpg", False, "data/a.jpg.png"),
            ("../here/a.jpg", False, "data/here/a.jpg.png"),
            ("../here/a.jpg", True, "a.jpg.png"),
        ],
    )
    def test_names(
        self,
        name: str,
        alone: bool,
        expected: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(os, "getcwd", lambda: "/data/there")
        overlays = Overlays(tmp_path, alone)
        assert overlays.path(Picture(Path(name), name)) == tmp_path / expected

    @pytest.mark.parametrize("scale", [1, 3])
    def test_an_overlay_is_as_large_as_its_picture_unless_enlarged(
        self, tmp_path: Path, scale: int
    ) -> None:
        inputs = pictures([str(picture(tmp_path / "a.png", (40, 30)))])
        run(inputs, Overlays(tmp_path / "over.png", alone=True, scale=scale))
        with Image.open(tmp_path / "over.png") as overlay:
            assert overlay.size == (40 * scale, 30 * scale)
            assert np.asarray(overlay).any()

    def test_one_file_takes_one_picture(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="names one file for many pictures"):
            Overlays(tmp_path / "over.png", alone=False)
        with pytest.raises(UserError, match="give a folder, or a file in"):
            Overlays(tmp_path / "over.heic", alone=True)

    def test_a_picture_too_large_for_the_format_is_one_line(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise cv2.error("too large")

        monkeypatch.setattr(cv2, "imencode", refuse)
        inputs = pictures([str(picture(tmp_path / "a.png"))])
        with pytest.raises(UserError, match=r"over\.webp: .*use \.png"):
            run(inputs, Overlays(tmp_path / "over.webp", alone=True))

    @pytest.mark.parametrize("link", [False, True])
    def test_a_source_is_not_overwritten(self, tmp_path: Path, link: bool) -> None:
        picture(tmp_path / "a.jpg")
        source = picture(tmp_path / "a.jpg.png")
        if link:
            source.rename(tmp_path / "elsewhere.png")
            source.symlink_to("elsewhere.png")
        inputs = pictures([str(tmp_path)])
        with pytest.raises(UserError, match=r"would overwrite a\.jpg\.png"):
            check_outputs(inputs, None, Overlays(tmp_path, alone=False))
        with pytest.raises(UserError, match="would overwrite a picture"):
            check_outputs(inputs, source, None)
