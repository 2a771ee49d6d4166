"""OSC packets: the bytes of the specification, and what another reader makes of them."""

import struct

import pytest
from pythonosc.osc_packet import OscPacket

from amesh.streaming.osc_packet import bundles, message


def test_the_examples_of_the_specification() -> None:
    """From "OSC Message Examples" in the OSC 1.0 specification."""
    assert message("/oscillator/4/frequency", 440.0) == bytes.fromhex(
        "2f6f7363 696c6c61 746f722f 342f6672 65717565 6e637900 2c660000 43dc0000"
    )
    foo = message("/foo", 1000, -1, "hello", 1.234, 5.678)
    assert foo == bytes.fromhex(
        "2f666f6f 00000000 2c696973 66660000 000003e8 ffffffff 68656c6c 6f000000 3f9df3b6 40b5b22d"
    )


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5])
def test_strings_end_in_one_to_four_zeros(length: int) -> None:
    [found] = OscPacket(message("/a", "x" * length, 7)).messages
    assert found.message.params == ["x" * length, 7]


def test_no_arguments() -> None:
    assert message("/a") == b"/a\0\0,\0\0\0"


def test_a_bundle_has_its_messages_in_order() -> None:
    [datagram] = bundles([message("/a", 1), message("/b", 0.5)])
    assert datagram[:16] == b"#bundle\0" + struct.pack(">Q", 1)  # at once
    found = [(one.message.address, one.message.params) for one in OscPacket(datagram).messages]
    assert found == [("/a", [1]), ("/b", [0.5])]


def test_many_messages_are_split_so_that_each_datagram_fits_the_network() -> None:
    names = [f"/shape/{i}" for i in range(200)]
    datagrams = bundles([message(name, 0.5) for name in names])
    assert len(datagrams) > 2
    assert max(map(len, datagrams)) <= 1452
    found = [one.message.address for data in datagrams for one in OscPacket(data).messages]
    assert found == names
