"""Formats the origin of weights for people to read."""

from collections.abc import Mapping
from typing import Any

_INDENT = "  "


def origin_lines(origin: Mapping[str, Any], indent: str = "") -> list[str]:
    """Formats the origin from a weights file, one line per fact.

    Args:
        origin: Facts by name. `licences` counts training faces by licence; `warm_start` is the
            origin of the weights that training started from; `averaged` has the origins of the
            networks that were averaged.
        indent: Prefix of every line.
    """
    return _lines(origin, indent, [])


def _lines(origin: Mapping[str, Any], indent: str, shown: list[Mapping[str, Any]]) -> list[str]:
    lines = []
    for name, value in origin.items():
        if name == "weights":
            continue  # heads the lines of this origin
        if name == "licences" and isinstance(value, Mapping):
            lines.append(f"{indent}{'faces':<12}{sum(value.values()):,} in training, by licence:")
            lines += [f"{indent}{_INDENT}{count:>8,}  {terms}" for terms, count in value.items()]
        elif name == "warm_start" and isinstance(value, Mapping):
            lines += _inner("started from", value, indent, shown)
        elif name == "averaged" and isinstance(value, list):
            for number, one in enumerate(value, 1):
                lines += _inner(f"mean, {number} of {len(value)}:", one, indent, shown)
        else:
            lines.append(f"{indent}{name:<12}{value}")
    return lines


def _inner(
    title: str, origin: Mapping[str, Any], indent: str, shown: list[Mapping[str, Any]]
) -> list[str]:
    head = f"{indent}{title} {origin.get('weights', 'weights without a name')}"
    if origin in shown:
        return [f"{head}, as above"]
    shown.append(origin)
    return [head, *_lines(origin, indent + _INDENT, shown)]


def origin_line(origin: Mapping[str, Any]) -> str:
    """Formats the source of weights in one line, with what they were made from."""
    line = str(origin.get("source", "source not stated"))
    if names := [str(one.get("weights")) for one in origin.get("averaged") or []]:
        line += f", of {' and '.join(names)}"
    if start := origin.get("warm_start"):
        line += f", started from {start.get('weights')}"
    return line
