from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from labelled_pictures import write_pts

from amesh.data.sources.keys import face_key, only_face_key, picture_of
from amesh.data.sources.problems import Problems
from amesh.data.sources.pts import read_pts_folder

STOP = Problems()


@pytest.mark.parametrize(
    ("key", "picture"),
    [
        ("a.jpg#1", "a.jpg"),
        ("clip.mp4#12:3", "clip.mp4"),
        ("Shoot #3/a.jpg#1", "Shoot #3/a.jpg"),
        ("#1.png#2", "#1.png"),
        ("a\n#b#2:0", "a\n#b"),
        ("Shoot #3/clip.mp4", "Shoot #3/clip.mp4"),
        ("a#b", "a#b"),
        ("#1", "#1"),
        ("a", "a"),
    ],
)
def test_the_picture_of_a_key(key: str, picture: str) -> None:
    assert picture_of(key) == picture


@pytest.mark.parametrize("name", ["a", "a#1", "a#1:2", "#1", "a #3 b", "a#1#2"])
def test_the_picture_is_recovered_from_its_key(name: str) -> None:
    assert picture_of(face_key(name, 7)) == name
    assert picture_of(only_face_key(name)) == name


def test_a_number_in_a_file_name_does_not_join_pictures(
    tmp_path: Path, labels: Callable[..., np.ndarray]
) -> None:
    for number in range(3):
        write_pts(tmp_path / "Shoot #3" / f"photo #{number}.pts", labels("ibug68"))
    keys = [entry.key for entry in read_pts_folder(tmp_path, STOP).entries]
    assert [picture_of(key) for key in keys] == [f"Shoot #3/photo #{n}" for n in range(3)]
