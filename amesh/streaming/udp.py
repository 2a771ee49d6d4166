"""Datagrams to one receiver, which never make the tracker wait."""

import socket
from collections.abc import Callable, Sequence
from typing import Any

from amesh.errors import UserError, reason_of
from amesh.streaming.state import FrameState

Packets = Callable[[FrameState], Sequence[bytes]]


class UdpSink:
    """Sends each frame as datagrams.

    What cannot be sent at once is dropped, and counted. Where the system tells that nobody listens,
    it is said once, and sending goes on: the receiver may start later.

    Attributes:
        name: The target, as in messages.
        dropped: Frames that were not sent, or not whole.
    """

    def __init__(
        self, name: str, host: str, port: int, packets: Packets, say: Callable[[str], None]
    ) -> None:
        """Finds the host.

        Args:
            name: The target, for messages.
            host: Its name or address.
            port: Its port.
            packets: Makes the datagrams of a frame.
            say: Tells the user something, in one line.

        Raises:
            UserError: There is no such host, or no way to it.
        """
        self.name, self.dropped = name, 0
        self._packets, self._say = packets, say
        self._said: set[str] = set()
        family, address = _resolved(name, host, port)
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            self._socket.connect(address)  # so that the system tells of refusals
        except OSError as error:
            self._socket.close()
            raise UserError(f"--stream {name}: cannot be reached ({error.strerror})") from error

    def send(self, frame: FrameState) -> None:
        """Sends a frame, or what of it can be sent at once."""
        sent = [self._send(packet) for packet in self._packets(frame)]
        self.dropped += not all(sent)

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()

    def _send(self, packet: bytes) -> bool:
        for _ in range(2):  # a refusal is that of an earlier packet, in place of sending this one
            try:
                self._socket.send(packet)
                return True
            except ConnectionRefusedError:
                self._once("nobody listens there yet; sending on")
            except BlockingIOError:  # the system's queue is full
                return False
            except OSError as error:
                self._once(f"cannot be reached ({error.strerror}); trying on")
                return False
        return True

    def _once(self, what: str) -> None:
        if what not in self._said:
            self._said.add(what)
            self._say(f"{self.name}: {what}")


def _resolved(name: str, host: str, port: int) -> tuple[int, Any]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:  # the latter for names that are too long
        raise UserError(f"--stream {name}: no such host ({reason_of(error)})") from None
    # IPv4 first: `localhost` has both, and puppet programs listen to IPv4.
    family, _, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
    return family, address
