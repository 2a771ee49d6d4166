"""Command-line options that follow from a dataclass.

Each field becomes an option: its name, type, default and choices come from the annotation, its help
from the `Attributes:` section of the docstring. Libraries do the same (jsonargparse, tyro), but
importing one takes longer than the help may take in all, and none keeps argparse's plain flags.
"""

import argparse
import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields
from inspect import cleandoc
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

Config = TypeVar("Config")

_METAVARS = {int: "N", float: "X", Path: "PATH", str: "TEXT"}


def add_fields(
    parser: argparse.ArgumentParser,
    config: type,
    skip: Iterable[str] = (),
    **changes: Mapping[str, Any],
) -> None:
    """Adds an option for each field of a dataclass.

    A tuple becomes an option with several values, a `Literal` one with choices. A boolean becomes a
    flag that takes no value: `--name` if it is off by default, `--no-name` if it is on.

    Args:
        parser: Of the command.
        config: The dataclass.
        skip: Fields without an option.
        changes: For a field, arguments of `add_argument` to use instead, and `flag`, the option's
            name if it is not that of the field.
    """
    hints, documented = get_type_hints(config), attributes(config)
    for field in fields(config):
        if field.name in skip:
            continue
        arguments: dict[str, Any] = {"dest": field.name, "default": _default(field)}
        arguments |= _by_type(hints[field.name], arguments["default"])
        arguments["help"] = documented.get(field.name)
        negated = "no-" if arguments.get("action") == "store_false" else ""
        flag = f"--{negated}{field.name.replace('_', '-')}"
        arguments |= changes.get(field.name, {})
        if "choices" in arguments:
            arguments.pop("metavar", None)  # the choices say it
        parser.add_argument(arguments.pop("flag", flag), **arguments)


def from_options(config: type[Config], options: argparse.Namespace, **given: Any) -> Config:
    """Builds the dataclass from parsed options.

    Args:
        config: The dataclass.
        options: What `add_fields` added, parsed.
        given: Values of the fields that have no option.
    """
    values: dict[str, Any] = {
        field.name: getattr(options, field.name)
        for field in fields(config)  # type: ignore[arg-type]
        if hasattr(options, field.name)
    }
    tuples = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return config(**(values | tuples | given))


def attributes(config: type) -> dict[str, str]:
    """The `Attributes:` section of a docstring, by name, worded as a help text."""
    _, _, section = cleandoc(config.__doc__ or "").partition("\nAttributes:\n")
    found: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        if start := re.match(r"    (\w+): (.*)", line):
            name, found[start[1]] = start[1], start[2]
        elif line.startswith("     ") and name:
            found[name] += " " + line.strip()
        elif line.strip():
            break  # another section
    return {name: _as_help(text) for name, text in found.items()}


def _as_help(text: str) -> str:
    """A sentence as argparse's help texts are written: no capital, no final stop."""
    text = text.removesuffix(".")
    if re.match(r"[A-Z][a-z]*\b", text):  # not an acronym
        text = text[0].lower() + text[1:]
    return text.replace("%", "%%")


def _default(field: "Field[Any]") -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return None if field.default is MISSING else field.default


def _by_type(hint: Any, default: Any) -> dict[str, Any]:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        [inner] = [part for part in parts if part is not NoneType]
        return _by_type(inner, default)
    if origin is tuple:
        return {"nargs": "+", **_by_type(parts[0], default)}
    if origin is Literal:
        return {"type": type(parts[0]), "choices": parts}
    if hint is bool:
        return {"action": "store_false" if default else "store_true"}
    return {"type": hint, "metavar": _METAVARS[hint]}
