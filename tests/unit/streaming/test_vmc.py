"""VMC: what a receiver reads, with a reader of its own."""

from dataclasses import replace
from typing import Any

import pytest
from puppets import puppet, streamed
from pythonosc.osc_packet import OscPacket

from amesh.effects.blendshapes import NAMES
from amesh.streaming.vmc import packets


def read(datagrams: list[bytes]) -> list[tuple[str, list[Any]]]:
    messages = [one.message for data in datagrams for one in OscPacket(data).messages]
    return [(one.address, one.params) for one in messages]


def rotations(datagrams: list[bytes]) -> dict[str, list[float]]:
    found = [values for address, values in read(datagrams) if address == "/VMC/Ext/Bone/Pos"]
    assert all(values[1:4] == [0, 0, 0] for values in found)
    return {values[0]: values[4:] for values in found}


def test_convention_avatar_turns_to_its_own_left() -> None:
    """Unity: positive about y is to the avatar's right, about x down, about z tilts it left.

    The head turns to the picture's right, which is the person's left, by 90 degrees; looks down;
    tilts clockwise in the picture, which is to the person's left.
    """
    half = 0.70710678
    cases = [((90.0, 0.0, 0.0), (0, -half, 0)), ((0.0, 90.0, 0.0), (half, 0, 0))]
    cases += [((0.0, 0.0, 90.0), (0, 0, half))]
    for angles, vector in cases:
        face = replace(puppet(), rotation=angles)
        assert rotations(packets(streamed(face)))["Head"] == pytest.approx([*vector, half])


def test_eyes_turn_relative_to_the_head() -> None:
    found = rotations(packets(streamed(puppet())))
    assert found["LeftEye"] == found["RightEye"]
    x, y, z, w = found["LeftEye"]
    assert (x, y) == pytest.approx((0.0348, -0.0697), abs=1e-3)  # half of 4 and 8 degrees
    assert w > 0.99
    assert z == pytest.approx(0, abs=0.01)


def test_all_shapes_are_sent_before_they_are_applied() -> None:
    messages = read(packets(streamed(puppet(shapes={"jawOpen": 0.25, "mouthLeft": 0.5}))))
    shapes = dict(values for address, values in messages if address == "/VMC/Ext/Blend/Val")
    assert len(shapes) == 52
    assert {name.lower() for name in shapes} == {name.lower() for name in NAMES}
    assert (shapes["JawOpen"], shapes["MouthLeft"], shapes["EyeBlinkLeft"]) == (0.25, 0.5, 0)
    assert messages[0] == ("/VMC/Ext/OK", [1, 3, 0, 1])
    assert messages[1] == ("/VMC/Ext/T", [0.125])
    assert messages[-1] == ("/VMC/Ext/Blend/Apply", [])


def test_without_a_face_nothing_is_tracked_and_the_pose_is_kept() -> None:
    messages = read(packets(streamed()))
    assert messages == [("/VMC/Ext/OK", [1, 3, 0, 0]), ("/VMC/Ext/T", [0.125])]
