from pathlib import Path

import cv2
import numpy as np
import pytest
from labelled_pictures import encode, photo, pose, topology  # noqa: F401

from amesh.cli.commands import command_parser
from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.problems import Problems
from amesh.data.sources.shard_files import ShardWriter
from amesh.data.sources.shards import ShardSource
from amesh.errors import UserError


def run(*words: str | Path) -> int:
    options = command_parser("profile").parse_args([str(word) for word in words])
    code: int = options.call(options)
    return code


@pytest.fixture
def shards(tmp_path: Path, pose) -> Path:  # type: ignore[no-untyped-def]  # noqa: F811
    """Two faces, one of them small."""
    with ShardWriter(tmp_path / "shards") as writer:
        for number, size in enumerate((60.0, 20.0)):
            writer.add(
                LabelledFace(
                    picture=encode(photo(240, 220)),
                    scheme="face478",
                    points=pose(yaw=5.0, size=size, centre=(120.0, 100.0)),
                    source="ours",
                    key=f"{number}.png",
                    where="here",
                )
            )
    return tmp_path / "shards"


def test_shards_and_a_sheet_are_written(
    shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (shards, "--output", tmp_path / "out", "--min-face", "80", "--count", "2")
    assert run(*words) == 0
    said = capsys.readouterr().err
    assert "1 face to turn, of 2; small: 1\n" in said
    assert "2 profiles in" in said
    assert len(ShardSource(tmp_path / "out", Problems())) == 2
    assert run(*words, "--sheet", tmp_path / "sheet.png") == 0
    assert "2 of them from before" in capsys.readouterr().err
    picture = cv2.imread(str(tmp_path / "sheet.png"))
    assert picture is not None
    assert picture.shape == (2 * 420, 2 * 420, 3)
    plain, drawn = np.split(picture.astype(int), 2, 1)
    assert 0.01 < (abs(plain - drawn).max(-1) > 0).mean() < 0.9


def test_more_views_of_a_face_than_make_sense_are_pointed_out(
    shards: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from amesh.profiling import write

    def none(*_: object, **__: object) -> dict[str, int]:
        return {"made": 0, "before": 0, "failed": 0}

    monkeypatch.setattr(write, "write_profiles", none)
    words = (shards, "--output", tmp_path / "out", "--min-face", "80")
    assert run(*words, "--count", "16") == 0
    assert "views of each" not in capsys.readouterr().err
    assert run(*words, "--count", "17") == 0
    assert "17 profiles of 1 face: up to 17 views of each; more than 16 add little" in (
        capsys.readouterr().err
    )


def test_a_list_leaves_faces_out(shards: Path, tmp_path: Path) -> None:
    (tmp_path / "held_out.txt").write_text("0.png\n")
    words = (shards, "--without", tmp_path / "held_out.txt", "--output", tmp_path / "out")
    with pytest.raises(UserError, match="no face in it that could be turned"):
        run(*words, "--min-face", "80")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "--output DIR .*--sheet FILE.png"),
        (("--sheet", "faces.jpg"), "the sheet is a PNG file"),
        (("--sheet", "a.png"), "no face in it that could be turned"),
        (("--output", "x", "--least", "96"), "yaw from 96 to 95"),
        (("--output", "x", "--min-face", "9", "--rank", "2"), "rank 2 of 1: expected 0 to 0"),
    ],
)
def test_a_mistake_gets_a_line(shards: Path, words: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        run(shards, *words)


def test_a_folder_without_shards_gets_a_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no \.tar file in it"):
        run(tmp_path, "--sheet", tmp_path / "a.png")
