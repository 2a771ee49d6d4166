"""What there is to run on: pictures and videos, and what folders stand for."""

from pathlib import Path

import pytest

from amesh.errors import UserError
from amesh.pipeline.inputs import Picture, Video, find_inputs


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def names(*sources: Path | str) -> list[str]:
    found, skipped = find_inputs([str(source) for source in sources])
    assert not skipped
    return [one.name for one in found]


def test_names_are_relative_to_the_only_folder(tmp_path: Path) -> None:
    touch(tmp_path / "deep" / "b.png", tmp_path / "a.png", tmp_path / "notes.txt")
    assert names(tmp_path) == ["a.png", "deep/b.png"]


def test_names_of_several_sources_keep_their_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    touch(Path("one/a.png"), Path("two/a.png"), Path("films/a.mp4"))
    assert names("one", "two/a.png", "films") == ["one/a.png", "two/a.png", "films/a.mp4"]


def test_pictures_and_videos_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    touch(Path("a.png"), Path("b.MOV"), Path("unknown"))
    found = find_inputs(["a.png", "b.MOV", "unknown", "b.MOV", "a.png"]).found
    picture = Picture(Path("a.png"), "a.png")
    # Only a video is not run twice.
    assert found == [picture, Video("b.MOV", "b.MOV"), Picture(Path("unknown"), "unknown"), picture]
    assert [one.path for one in found[:2]] == [Path("a.png"), Path("b.MOV")]


def test_a_folder_of_both_stands_for_its_pictures_and_says_so(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", tmp_path / "b.mp4", tmp_path / "deep" / "c.mov")
    found, skipped = find_inputs([str(tmp_path)])
    assert [one.name for one in found] == ["a.png"]
    assert skipped == [f"{tmp_path}: videos left out, because there are pictures: 2"]


def test_a_folder_without_pictures_stands_for_its_videos(tmp_path: Path) -> None:
    touch(tmp_path / "b.mp4", tmp_path / "deep" / "c.mov")
    assert names(tmp_path) == ["b.mp4", "deep/c.mov"]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("cam:0", "cam:0"),
        ("rtsp://host/door", "rtsp://host/door"),
        ("rtsp://user:pass@word@host:554/door@1", "rtsp://host:554/door@1"),
    ],
)
def test_cameras_and_addresses(source: str, name: str, tmp_path: Path) -> None:
    [found] = find_inputs([source]).found
    assert found == Video(source, name)
    assert found.path is None
    touch(tmp_path / "a.png")
    with pytest.raises(UserError, match="a camera or an address runs alone"):
        find_inputs([str(tmp_path / "a.png"), source])


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.png: no such file or folder"):
        find_inputs([str(tmp_path / "gone.png")])
    with pytest.raises(UserError, match="no picture and no video in this"):
        find_inputs([str(tmp_path)])
