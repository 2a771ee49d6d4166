r"""Reads JSON, and JSON Lines (a value on each line), into typed values.

Convention:
    - lines end at "\n" alone: other separators, such as U+2028, may be part of a text
    - a byte order mark at the start is ignored, and so are empty lines
    - NaN and Infinity, which Python writes although JSON does not have them, are read as null
"""

import codecs
import dataclasses
import functools
import json
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from amesh.errors import UserError

_LONGEST = 200  # characters of a problem
# msgspec's own answer to an escape such as \ud800 in place of a choice or an object.
_HALF = "holds half a character, which is no text"
# Of integers that no float can hold; from 0.20 on, msgspec says where.
_HUGE = "number out of range"

_T = TypeVar("_T")


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a text file that are not empty, with their numbers from 1.

    Raises:
        UserError: The file cannot be read, or is UTF-16 text.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if number == 1:
                    if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                        raise UserError(f"{path}: UTF-16 text; save it as UTF-8")
                    line = line.removeprefix(codecs.BOM_UTF8)
                if line.strip():
                    yield number, line
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise UserError(f"{path}: a folder, not a file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error


def parse(text: bytes, kind: type[_T], where: str) -> _T:
    """Reads and checks one value.

    Args:
        text: JSON.
        kind: A `msgspec.Struct`, or any other type that msgspec knows.
        where: Place of the text, for messages.

    Raises:
        UserError: The text is not JSON, or the value is not of this kind; names the place in it.
    """
    try:
        return _parse(text, kind)
    except msgspec.ValidationError as error:
        raise _wrong(error, where) from None
    except json.JSONDecodeError as error:
        raise _error(where, f"not JSON ({error.msg}, column {error.colno})") from None
    except UnicodeDecodeError:
        raise _error(where, "not UTF-8 text") from None
    except UnicodeEncodeError:
        raise _error(where, _HALF) from None
    except SystemError:
        raise _error(where, _HUGE) from None
    except RecursionError:
        raise _error(where, "not JSON that can be read (nested too deeply)") from None
    except ValueError:  # Python's limit, see sys.set_int_max_str_digits
        raise _error(where, "not JSON that can be read (a number of thousands of digits)") from None


def convert(value: Any, kind: type[_T], where: str) -> _T:
    """Checks one value that has been read already, from JSON, YAML or a checkpoint.

    Args:
        value: Of plain types; tuples may stand for lists.
        kind: A dataclass, a `msgspec.Struct`, which decides itself about fields that it does not
            have, or any other type that msgspec knows.
        where: What messages call the value.

    Raises:
        UserError: The value is not of this kind, has a field that the kind does not have, or the
            kind itself refuses it.
    """
    try:
        found = msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from None
        raise _wrong(error, where) from None
    except UnicodeEncodeError:
        raise _error(where, _HALF) from None
    except SystemError:
        raise _error(where, _HUGE) from None
    if dataclasses.is_dataclass(kind):
        _check_known(value, dataclasses.asdict(cast(Any, found)), where)
    return found


def _check_known(given: Any, known: Any, where: str) -> None:
    """Refuses fields that a dataclass does not have; msgspec drops them."""
    if isinstance(given, Mapping) and isinstance(known, Mapping):
        for name, value in given.items():
            if name not in known:
                raise UserError(f"{where}: unknown field {name!r}")
            _check_known(value, known[name], f"{where}: {name}")


def _wrong(error: msgspec.ValidationError, where: str) -> UserError:
    problem, _, place = str(error).partition(" - at `$")
    place = place.rstrip("`").lstrip(".")
    problem = problem[0].lower() + problem[1:]
    if len(problem) > _LONGEST:  # it quotes the value
        problem = f"{problem[:_LONGEST]}..."
    return _error(where, place, problem)


def _error(*parts: str) -> UserError:
    return UserError(": ".join(filter(None, parts)))


def _parse(text: bytes, kind: type[_T]) -> _T:
    try:
        decoded: _T = _decoder(cast(Hashable, kind)).decode(text)
        return decoded
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        # Python's own reader also takes NaN, and file names that are not valid text; where it
        # takes nothing, it says in more words why.
        return msgspec.convert(json.loads(text, parse_constant=lambda _: None), kind)


@functools.cache
def _decoder(kind: Hashable) -> "msgspec.json.Decoder[Any]":
    return msgspec.json.Decoder(kind)
