import json
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from amesh.errors import UserError
from amesh.json_lines import convert, lines, parse


class Pair(msgspec.Struct):
    name: str
    values: list[float | None] = []
    kind: Literal["a", "b"] = "a"


def test_lines_keep_their_numbers_and_end_at_newlines_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbfa\r\n \n\nb\xe2\x80\xa8c\x0bd\rend")
    assert list(lines(path)) == [(1, b"a\r\n"), (4, b"b\xe2\x80\xa8c\x0bd\rend")]


def test_what_python_writes_is_read() -> None:
    text = json.dumps({"name": "caf\udce9", "values": [1.5, float("nan"), float("-inf")]})
    assert parse(text.encode(), Pair, "here") == Pair("caf\udce9", [1.5, None, None])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"name": 1}', "^here: name: expected `str`, got `int`$"),
        (b'{"name": "a", "values": [1, "b"]}', r"^here: values\[1\]: expected `float"),
        (b"{}", "^here: object missing required field `name`$"),
        (b"[]", "^here: expected `object`, got `array`$"),
        (b'{"name"', "^here: not JSON "),
        (b'{"name": "\xff"}', "^here: not UTF-8 text$"),
        (b'"\\ud800"', "^here: holds half a character"),
        (b'{"name": "a", "kind": "' + b"c" * 999 + b'"}', "^here: kind: invalid enum .*ccc[.]{3}$"),
        (b'{"more": [NaN, ' + b"1" * 5000 + b"]}", "^here: .*thousands of digits"),
        (b'{"more": ' + b"[" * 100_000, "^here: .*nested too deeply"),
    ],
)
def test_mistakes_name_their_place(text: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse(text, Pair, "here")


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none: no such file"):
        list(lines(tmp_path / "none"))
    with pytest.raises(UserError, match="a folder, not a file"):
        list(lines(tmp_path))
    (tmp_path / "utf16").write_text("{}", encoding="utf-16")
    with pytest.raises(UserError, match="UTF-16 text; save it as UTF-8"):
        list(lines(tmp_path / "utf16"))


def test_half_a_character_is_refused_in_values_that_are_read_already() -> None:
    with pytest.raises(UserError, match="half a character"):
        convert("\ud800", Pair, "here")


def test_an_integer_that_no_float_can_hold_is_refused() -> None:
    with pytest.raises(UserError, match="number out of range"):
        convert({"name": "a", "values": [10**400]}, Pair, "here")
    with pytest.raises(UserError, match="number out of range"):
        parse(b'{"name": "a", "more": NaN, "values": [1' + b"0" * 400 + b"]}", Pair, "here")


def test_a_place_that_is_told_elsewhere_leaves_no_colon() -> None:
    with pytest.raises(UserError, match=r"^not JSON "):
        parse(b"{", Pair, "")
