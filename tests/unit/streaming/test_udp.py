"""Datagrams: what arrives, and what happens where nobody listens or the way is blocked."""

import errno
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from puppets import streamed

from amesh.errors import UserError
from amesh.streaming.udp import UdpSink

pytestmark = pytest.mark.allow_hosts(["127.0.0.1", "::1"])


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(5)
        yield listening


@pytest.fixture
def said() -> list[str]:
    return []


def sink(port: int, said: list[str], host: str = "127.0.0.1", *packets: bytes) -> UdpSink:
    return UdpSink("osc://there", host, port, lambda _: packets or (b"one", b"two"), said.append)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_all_packets_of_a_frame_arrive(host: str, receiver: socket.socket, said: list[str]) -> None:
    sending = sink(receiver.getsockname()[1], said, host)
    sending.send(streamed())
    sending.close()
    assert [receiver.recv(100), receiver.recv(100)] == [b"one", b"two"]
    assert (sending.dropped, said) == (0, [])


def test_ipv6(said: list[str]) -> None:
    try:
        listening = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        listening.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 here")
    with listening:
        listening.settimeout(5)
        sending = sink(listening.getsockname()[1], said, "::1")
        sending.send(streamed())
        sending.close()
        assert listening.recv(100) == b"one"


def test_nobody_listens_is_said_once_and_is_no_error(
    receiver: socket.socket, said: list[str]
) -> None:
    port = receiver.getsockname()[1]
    receiver.close()
    sending = sink(port, said)
    for _ in range(5):
        sending.send(streamed())
    assert said == ["osc://there: nobody listens there yet; sending on"]
    assert sending.dropped == 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as late:  # starts later, misses nothing
        late.bind(("127.0.0.1", port))
        late.settimeout(5)
        sending.send(streamed())
        assert [late.recv(100), late.recv(100)] == [b"one", b"two"]
    sending.close()


class Blocked:
    """A socket whose queue is full, or whose network has gone."""

    def __init__(self, error: OSError) -> None:
        self.error = error

    def send(self, _: bytes) -> int:
        raise self.error


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (BlockingIOError(errno.EAGAIN, "busy"), []),
        (
            OSError(errno.ENETUNREACH, "Network is unreachable"),
            ["osc://there: cannot be reached (Network is unreachable); trying on"],
        ),
    ],
)
def test_what_cannot_be_sent_at_once_is_dropped_and_counted(
    error: OSError, message: list[str], receiver: socket.socket, said: list[str]
) -> None:
    sending = sink(receiver.getsockname()[1], said)
    sending.close()
    sending._socket = Blocked(error)  # type: ignore[assignment]
    sending.send(streamed())
    sending.send(streamed())
    assert (sending.dropped, said) == (2, message)


def test_an_unknown_host_is_one_line(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    def unknown(*_: object, **__: object) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(
        UserError, match=r"^--stream osc://there: no such host \(Name or service not known\)$"
    ):
        sink(9, said, "nowhere")


def test_no_way_to_the_host_is_one_line(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    def connect(*_: object) -> None:
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(UserError, match=r"cannot be reached \(Network is unreachable\)$"):
        sink(9, said)


def test_names_with_both_kinds_of_addresses_get_the_older_one(
    monkeypatch: pytest.MonkeyPatch, receiver: socket.socket, said: list[str]
) -> None:
    port = receiver.getsockname()[1]
    both = [
        (socket.AF_INET6, socket.SOCK_DGRAM, 17, "", ("::1", port, 0, 0)),
        (socket.AF_INET, socket.SOCK_DGRAM, 17, "", ("127.0.0.1", port)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    sending = sink(port, said, "localhost")
    sending.send(streamed())
    sending.close()
    assert receiver.recv(100) == b"one"
