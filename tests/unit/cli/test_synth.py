from pathlib import Path

import cv2
import pytest

from amesh.cli.commands import command_parser
from amesh.data.sources.problems import Problems
from amesh.data.sources.shards import ShardSource
from amesh.errors import UserError


def run(*words: str) -> int:
    options = command_parser("synth").parse_args(words)
    code: int = options.call(options)
    return code


def test_a_sheet_shows_each_face_without_and_with_landmarks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = tmp_path / "sheet.png"
    assert run("--sheet", str(sheet), "--count", "3", "--size", "64", "--device", "cpu") == 0
    picture = cv2.imread(str(sheet))
    assert picture is not None
    assert picture.shape == (3 * 128, 256, 3)  # one column of pairs, each picture twice as large
    plain, drawn = picture[:, :128].astype(int), picture[:, 128:].astype(int)
    share = (abs(plain - drawn).max(-1) > 0).mean()
    assert 0.02 < share < 0.9
    assert "3 faces on" in capsys.readouterr().err


def test_a_sheet_shows_heads_from_behind_without_landmarks(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    words = ("--count", "1", "--size", "64", "--device", "cpu", "--behind", "1")
    assert run("--sheet", str(sheet), *words) == 0
    picture = cv2.imread(str(sheet))
    assert picture is not None
    assert (picture[:, :128] == picture[:, 128:]).all()


def test_shards_are_written_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--output", str(tmp_path), "--size", "64", "--device", "cpu", "--seed", "5")
    assert run(*words, "--count", "2") == 0
    assert run(*words, "--count", "3") == 0
    assert "3 faces in" in (said := capsys.readouterr().err)
    assert "2 of them from before" in said
    assert len(ShardSource(tmp_path, Problems())) == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "--output DIR .*--sheet FILE.png"),
        (("--sheet", "faces.jpg", "--device", "cpu"), "the sheet is a PNG file"),
        (("--sheet", "a.png", "--device", "nowhere"), "--device nowhere: not available"),
        (("--sheet", "a.png", "--size", "8", "--device", "cpu"), "size is 8, expected 32 or more"),
        (("--output", "x", "--rank", "2", "--device", "cpu"), "rank 2 of 1: expected 0 to 0"),
    ],
)
def test_a_mistake_gets_a_line(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        run(*words)
