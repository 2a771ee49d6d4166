"""Packets of Open Sound Control 1.0 (opensoundcontrol.stanford.edu/spec-1_0.html)."""

import struct
from collections.abc import Iterable

Argument = int | float | str

_IMMEDIATELY = b"#bundle\0" + struct.pack(">Q", 1)
# What fits into one Ethernet frame beside the headers of IPv6 and UDP [bytes]: the parts of a
# larger datagram are lost together, and some receivers have small buffers.
_LARGEST = 1452


def message(address: str, *arguments: Argument) -> bytes:
    """One message: whole numbers as int32, others as float32, and strings in ASCII.

    Examples:
        >>> message("/jaw", 0.5).hex(" ", 4)
        '2f6a6177 00000000 2c660000 3f000000'
    """
    tags, data = ",", b""
    for one in arguments:
        if isinstance(one, str):
            tags += "s"
            data += _padded(one)
        elif isinstance(one, int):
            tags += "i"
            data += struct.pack(">i", one)
        else:
            tags += "f"
            data += struct.pack(">f", one)
    return _padded(address) + _padded(tags) + data


def bundles(messages: Iterable[bytes]) -> list[bytes]:
    """Datagrams with these messages, in order, to be taken at once; each fits the network."""
    found: list[bytes] = []
    parts, size = [_IMMEDIATELY], len(_IMMEDIATELY)
    for one in messages:
        if size + 4 + len(one) > _LARGEST and len(parts) > 1:
            found.append(b"".join(parts))
            parts, size = [_IMMEDIATELY], len(_IMMEDIATELY)
        parts += [struct.pack(">i", len(one)), one]
        size += 4 + len(one)
    found.append(b"".join(parts))
    return found


def _padded(text: str) -> bytes:
    """A string with 1 to 4 zeros behind it, to a multiple of 4 bytes."""
    data = text.encode("ascii")
    return data + bytes(4 - len(data) % 4)
