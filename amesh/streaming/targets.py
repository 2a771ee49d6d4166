"""Where `amesh run --stream` sends frames: how targets are written, and opened."""

import os
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable
from urllib.parse import urlsplit

from amesh.errors import UserError
from amesh.lazy import resolve
from amesh.pipeline.results import is_name_of_lines
from amesh.streaming.lines import OUTPUT, line_sink
from amesh.streaming.protocols import PROTOCOLS, Row
from amesh.streaming.state import FrameState
from amesh.streaming.udp import UdpSink

_HOST = "127.0.0.1"


@runtime_checkable
class Sink(Protocol):
    """What takes the frames of a stream."""

    @property
    def name(self) -> str:
        """The target, as in messages."""

    @property
    def dropped(self) -> int:
        """Frames that were not sent, or not whole."""

    def send(self, frame: FrameState) -> None:
        """Sends a frame."""


_BRACKETED = re.compile(r"(.*@)?\[[^]]*\](:.*)?")
_LINES = "jsonl:"
_FORMS = f"{', '.join(f'{name}://HOST:PORT' for name in PROTOCOLS)}, jsonl:- or jsonl:FILE"


@dataclass(frozen=True)
class Target:
    """Where to send frames.

    Attributes:
        name: As in messages, with everything that was left out.
        place: What no two targets may share: a host and its port, or a file.
        live: Receivers show frames when they arrive, so they have to come at their own times.
        open: Opens it, given what tells the user something.
    """

    name: str
    place: str
    live: bool
    open: Callable[[Callable[[str], None]], AbstractContextManager[Sink]]


def parse_targets(texts: Sequence[str]) -> tuple[Target, ...]:
    """The targets that `--stream` names.

    Examples:
        >>> [target.name for target in parse_targets(["vmc://", "jsonl:-"])]
        ['vmc://127.0.0.1:39539', 'jsonl:-']

    Raises:
        UserError: There is no such protocol, a port is missing or impossible, or two targets are
            the same.
    """
    targets: dict[str, Target] = {}
    for text in texts:
        target = _parsed(text)
        if target.place in targets:
            raise UserError(
                f"--stream {target.name} and {targets[target.place].name} go to the same place; "
                "give each a receiver of its own"
            )
        targets[target.place] = target
    return tuple(targets.values())


def _parsed(text: str) -> Target:
    if text.startswith(_LINES) and text != _LINES:
        return _lines(text, text.removeprefix(_LINES))
    scheme, found, _ = text.partition("://")
    if not found or scheme not in PROTOCOLS:
        raise UserError(f"--stream {text!r}: expected {_FORMS}")
    row = PROTOCOLS[scheme]
    ports = f"1 to 65535, as in {scheme}://{_HOST}:{row.port or 9000}"
    try:
        parts = urlsplit(text)
        host = parts.hostname or _HOST
        if parts.netloc.count(":") > 1 and not _BRACKETED.fullmatch(parts.netloc):
            raise ValueError("an IPv6 address whose end may be a port")
    except ValueError:
        raise UserError(
            f"--stream {text}: no such host; an IPv6 address stands in brackets, as in "
            f"{scheme}://[::1]:{row.port or 9000}"
        ) from None
    try:
        port = row.port if parts.port is None else parts.port
    except ValueError:
        port = 0
    if parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None:
        raise UserError(f"--stream {text}: expected {scheme}://HOST:PORT")
    if port is None:
        raise UserError(f"--stream {text}: give a port, {ports}")
    if not port:
        raise UserError(f"--stream {text}: the port must be {ports}")
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    name = f"{scheme}://{place}"
    return Target(name, place, live=True, open=partial(_udp, name, host, port, row))


def _lines(text: str, file: str) -> Target:
    file = os.path.expanduser(file)  # noqa: PTH111 - "-" is no path; shells leave ~ after a colon
    if file == OUTPUT:
        place = os.path.realpath("/dev/stdout")  # a file, if it is redirected there
    elif is_name_of_lines(Path(file)):
        place = os.path.realpath(file)
    else:
        raise UserError(f"--stream {text}: it writes JSON lines; give a name that ends in .jsonl")
    return Target(text, place, live=False, open=lambda say: line_sink(text, file, say))


def _udp(
    name: str, host: str, port: int, row: Row, say: Callable[[str], None]
) -> AbstractContextManager[Sink]:
    return closing(UdpSink(name, host, port, resolve(row.packets), say))
