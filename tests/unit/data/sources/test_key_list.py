from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amesh.data.sources.key_list import key_list, read_keys
from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.source import ListSource
from amesh.data.sources.subset import held_out, listed
from amesh.errors import UserError

ODD = [
    *("#1.png#1", "# a.png#0:0", "#!a", " a", "a ", "\u00a0a", "a\nb", "a\r", "a\u2028b", "a\x85"),
    *('"a"', '"', "a\udce9.jpg", "\ufeffa", "a\\u2028b", "Shoot #3/a.png#2:0", "plain"),
]


def written(folder: Path, keys: list[str]) -> Path:
    path = folder / "keys.txt"
    path.write_bytes(key_list(keys))
    return path


def test_every_key_is_preserved(tmp_path: Path) -> None:
    assert read_keys(written(tmp_path, ODD)) == ODD


@given(keys=st.lists(st.text(st.characters(), min_size=1)))
def test_any_text_is_preserved(tmp_path_factory: pytest.TempPathFactory, keys: list[str]) -> None:
    assert read_keys(written(tmp_path_factory.mktemp("keys"), keys)) == keys


def test_plain_keys_are_plain_lines(tmp_path: Path) -> None:
    assert key_list(["images/a b.jpg#1", "#2.png#2"]) == b"images/a b.jpg#1\n#2.png#2\n"
    (tmp_path / "by_hand.txt").write_bytes(b"\xef\xbb\xbfa#1\r\n\r\n  b#2 \r\n")
    assert read_keys(tmp_path / "by_hand.txt") == ["a#1", "b#2"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'a\n"b\n', "line 2: not JSON"),
        (b'"b" c\n', "line 1: not JSON"),
        (b"a\n\xff\n", "line 2: not UTF-8 text"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "keys.txt").write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_keys(tmp_path / "keys.txt")


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.txt: no such file"):
        read_keys(tmp_path / "none.txt")


def source(keys: list[str]) -> ListSource:
    nothing = np.zeros((0, 3), np.float32)
    return ListSource("some", [LabelledFace(b"", "some", k, k, None, nothing) for k in keys])


@pytest.mark.parametrize("front", ["", "#", " ", "Shoot #3/", "#3", "a\n#"])
def test_held_out_faces_are_excluded_from_training_and_none_is_lost(
    tmp_path: Path, front: str
) -> None:
    whole = source([f"{front}{i:02d}.png#{i + 1}" for i in range(200)])
    train, rest = held_out(whole, 0.25)
    assert 30 < len(rest) < 70
    path = written(tmp_path, [entry.key for entry in rest.entries])
    assert list(listed(whole, path, None).entries) == list(rest.entries)
    assert list(listed(whole, None, path).entries) == list(train.entries)


def test_comments_are_explained(tmp_path: Path) -> None:
    (tmp_path / "keys.txt").write_text("# shards\na#1\n")
    with pytest.raises(UserError, match=r"1 keys are not in some.*comments"):
        listed(source(["a#1"]), tmp_path / "keys.txt", None)
