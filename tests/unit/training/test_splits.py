"""The lists of faces that come with the configurations keep training and scoring apart."""

from itertools import combinations
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "conf" / "splits"
SPLITS = sorted(FOLDER.glob("*.txt"))
# What is left of a list where labels were made anew; it keeps apart what the whole one does.
PARTS = {FOLDER / "validation_2.txt": FOLDER / "validation.txt"}


def _keys(path: Path) -> list[str]:
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize(
    ("one", "other"),
    list(combinations([path for path in SPLITS if path not in PARTS], 2)),
    ids=lambda path: path.stem,
)
def test_no_face_is_in_two_lists(one: Path, other: Path) -> None:
    assert not set(_keys(one)) & set(_keys(other))


@pytest.mark.parametrize("part", PARTS, ids=lambda path: path.stem)
def test_a_part_of_a_list_has_no_other_faces(part: Path) -> None:
    assert set(_keys(part)) < set(_keys(PARTS[part]))


@pytest.mark.parametrize("path", SPLITS, ids=lambda path: path.stem)
def test_a_list_names_each_face_once(path: Path) -> None:
    keys = _keys(path)
    assert keys
    assert len(keys) == len(set(keys))
