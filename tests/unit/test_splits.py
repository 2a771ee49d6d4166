"""The lists of faces that come with the configurations keep training and scoring apart."""

from itertools import combinations
from pathlib import Path

import pytest

from amesh.data.sources.key_list import read_keys

FOLDER = Path(__file__).parents[2] / "conf" / "splits"
SPLITS = sorted(FOLDER.glob("*.txt"))
# What is left of a list where labels were made anew; it keeps apart what the whole one does.
PARTS = {FOLDER / "validation_2.txt": FOLDER / "validation.txt"}


@pytest.mark.parametrize(
    ("one", "other"),
    list(combinations([path for path in SPLITS if path not in PARTS], 2)),
    ids=lambda path: path.stem,
)
def test_no_face_is_in_two_lists(one: Path, other: Path) -> None:
    assert not set(read_keys(one)) & set(read_keys(other))


@pytest.mark.parametrize("part", PARTS, ids=lambda path: path.stem)
def test_a_part_of_a_list_has_no_other_faces(part: Path) -> None:
    assert set(read_keys(part)) < set(read_keys(PARTS[part]))


@pytest.mark.parametrize("path", SPLITS, ids=lambda path: path.stem)
def test_a_list_names_each_face_once(path: Path) -> None:
    keys = read_keys(path)
    assert keys
    assert len(keys) == len(set(keys))
