"""OSC: the addresses that docs/effects.md promises."""

import pytest
from puppets import puppet, streamed
from pythonosc.osc_packet import OscPacket

from amesh.effects.blendshapes import NAMES
from amesh.streaming.osc import packets


def test_every_face_has_its_messages() -> None:
    datagrams = packets(streamed(puppet(4), puppet(9, {"tongueOut": 1.0})))
    messages = [one.message for data in datagrams for one in OscPacket(data).messages]
    found = {one.address: one.params for one in messages}
    assert len(found) == len(messages) == 1 + 2 * (4 + 52)
    assert found["/amesh/frame"] == [3, 0.125, 2]
    assert found["/amesh/face/4/rotation"] == [30, 20, 10]
    assert found["/amesh/face/4/position"] == [10, 20, 500]
    assert found["/amesh/face/4/gaze"] == [8, 4]
    assert found["/amesh/face/4/closed"] == [0, 1]
    assert found["/amesh/face/4/jawOpen"] == [0.25]
    assert found["/amesh/face/9/tongueOut"] == [1.0]
    assert all([*found["/amesh/face/9/" + name]] for name in NAMES)


def test_without_a_face_only_the_frame() -> None:
    [datagram] = packets(streamed())
    [found] = OscPacket(datagram).messages
    assert (found.message.address, found.message.params) == (
        "/amesh/frame",
        [3, pytest.approx(0.125), 0],
    )
