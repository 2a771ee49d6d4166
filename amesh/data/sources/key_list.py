"""Lists of keys that select or exclude faces, as text that people can edit.

Convention:
    - one key per line; surrounding spaces and empty lines are ignored
    - a line that starts with a quotation mark is a JSON string, for keys that a plain line cannot
      express: with line breaks, outer spaces, invisible characters or a leading quotation mark
"""

import json
from collections.abc import Iterable
from pathlib import Path

from amesh.errors import UserError
from amesh.json_lines import lines, parse


def read_keys(path: Path) -> list[str]:
    """Reads a list of keys, in order.

    Raises:
        UserError: The file cannot be read, or a line is invalid.
    """
    return [_key(line.strip(), f"{path}, line {number}") for number, line in lines(path)]


def key_list(keys: Iterable[str]) -> bytes:
    """Returns the content of a file for `read_keys`."""
    return "".join(f"{_line(key)}\n" for key in keys).encode()


def _key(line: bytes, where: str) -> str:
    if line.startswith(b'"'):
        return parse(line, str, where)
    try:
        return line.decode().strip()
    except UnicodeDecodeError:
        raise UserError(f"{where}: not UTF-8 text") from None


def _line(key: str) -> str:
    plain = key.isprintable() and key == key.strip() and key and not key.startswith('"')
    return key if plain else json.dumps(key)
