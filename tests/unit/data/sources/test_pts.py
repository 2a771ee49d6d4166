"""The labels of 300-W."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from labelled_pictures import close, write_pts

from amesh.data.sources.problems import Problems
from amesh.data.sources.pts import read_pts_folder
from amesh.errors import UserError

STOP = Problems()


def test_pts_count_from_one(tmp_path: Path, labels: Callable[..., np.ndarray]) -> None:
    expected = labels("ibug68")
    write_pts(tmp_path / "train" / "a.pts", expected + 0.5)
    write_pts(tmp_path / "b.pts", np.full((68, 2), 11.0) + np.arange(68)[:, None])
    source = read_pts_folder(tmp_path, STOP)
    first, second = sorted(source.faces, key=lambda record: record.key, reverse=True)
    close(first, expected)
    assert (first.scheme, first.key, first.split) == ("ibug68", "train/a", "train")
    assert second.points[0].tolist() == [10.5, 10.5]  # as CONVENTIONS.md has it


PTS = {
    "cut short": (lambda p: p.write_text(p.read_text()[:400]), r"a\.pts: \d+ points, expected 68"),
    "a word": (
        lambda p: p.write_text(p.read_text().replace("{", "{\nx y")),
        r"a\.pts: expected points as rows",
    ),
    "nan": (
        lambda p: p.write_text("n_points: 1\n{\nnan 3\n}"),
        r"a\.pts: point 0 is \[nan, 3\.0\], not finite",
    ),
    "no picture": (lambda p: p.with_suffix(".png").unlink(), r"picture a\.jpg .* is missing"),
    "binary": (lambda p: p.write_bytes(b"\xff\xfe\x80"), "cannot be read as text"),
}


@pytest.mark.parametrize("case", PTS)
def test_bad_pts(tmp_path: Path, labels: Callable[..., np.ndarray], case: str) -> None:
    for name in ("a", "b"):
        write_pts(tmp_path / f"{name}.pts", labels("ibug68"))
    spoil, message = PTS[case]
    spoil(tmp_path / "a.pts")
    with pytest.raises(UserError, match=message):
        read_pts_folder(tmp_path, STOP)
    problems = Problems("skip")
    assert len(read_pts_folder(tmp_path, problems)) == 1
    assert len(problems.messages) == 1


def test_folders_without_labels(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none: no such folder"):
        read_pts_folder(tmp_path / "none", STOP)
    with pytest.raises(UserError, match=r"no \.pts file in it"):
        read_pts_folder(tmp_path, STOP)
    (tmp_path / "a.pts").write_text("{}")
    with pytest.raises(UserError, match=r"no labelled face.*a\.pts"):
        read_pts_folder(tmp_path, Problems("skip"))
