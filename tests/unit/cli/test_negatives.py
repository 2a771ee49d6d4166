"""What `amesh negatives` keeps when it is interrupted; the search has tests of its own."""

import json
from pathlib import Path

import pytest
from one_face import OneFace
from PIL import Image

from amesh.cli import main, negatives


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in "abcd":
        Image.new("RGB", (64, 256)).save(folder / f"{name}.png")
    return folder


def run(folder: Path, *words: str, pictures: int | None = None) -> int:
    """Runs the command; Ctrl-C comes after so many pictures, one by one."""
    words = (*words, "--output", str(folder.parent / "n.jsonl"), "--keep-doubtful")
    if pictures is not None:
        words = (*words, "--workers", "1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(negatives, "open_face_mesh", lambda _: OneFace(pictures))
        return main(["negatives", str(folder), *words])


def test_an_interrupted_search_is_resumed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, pictures=2) == 130
    assert "2 regions done, in " in capsys.readouterr().err
    assert run(folder) == 2
    assert "--resume" in capsys.readouterr().err
    assert run(folder, "--resume", "--per-picture", "2") == 2
    assert "--per-picture 1, now it is 2" in capsys.readouterr().err
    assert run(folder, "--resume", pictures=2) == 0
    assert "4 regions without a face" in capsys.readouterr().err
    lines = (folder.parent / "n.jsonl").read_text().splitlines()
    assert [json.loads(line)["image"] for line in lines] == [f"photos/{n}.png" for n in "abcd"]
    assert {path.name for path in folder.parent.iterdir()} == {"photos", "n.jsonl"}


def test_an_interruption_before_the_first_leaves_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, pictures=0) == 130
    assert capsys.readouterr().err == "amesh: interrupted\n"
    assert {path.name for path in folder.parent.iterdir()} == {"photos"}


def test_a_finished_file_is_not_begun_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder) == 0
    before = (folder.parent / "n.jsonl").stat().st_ino
    assert run(folder, "--resume", pictures=0) == 0
    assert "n.jsonl is finished already; nothing to resume" in capsys.readouterr().err
    assert (folder.parent / "n.jsonl").stat().st_ino == before
