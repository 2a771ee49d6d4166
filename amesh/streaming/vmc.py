"""The Virtual Motion Capture protocol (protocol.vmc.info): one face, as OSC for VRM avatars.

Convention
    Rotations are quaternions (x, y, z, w) in the avatar's axes, which are Unity's: x to the
    avatar's right, y up, z out of its face, left-handed. These are the head's axes of
    `amesh.effects.canonical` with all three signs changed, so a rotation has the same matrix, and
    the same quaternion, in both. The avatar turns to its left where the person turns to theirs.
    Positions of bones are 0: those of the avatar are unknown.
"""

from functools import cache

from amesh.effects.blendshapes import NAMES
from amesh.streaming.osc_packet import bundles, message
from amesh.streaming.quaternion import quaternion
from amesh.streaming.state import FrameState

_LOADED, _CALIBRATED, _NORMAL = 1, 3, 0


def packets(frame: FrameState) -> list[bytes]:
    """The datagrams of a frame.

    Without a face, only the time, and the status that says that nothing is tracked: receivers keep
    the pose that they have.
    """
    face = frame.main
    messages = [
        message("/VMC/Ext/OK", _LOADED, _CALIBRATED, _NORMAL, int(face is not None)),
        message("/VMC/Ext/T", float(frame.time)),
    ]
    if face is not None:
        gaze = quaternion(*face.gaze)
        messages += [
            _bone("Head", quaternion(*face.rotation)),
            _bone("LeftEye", gaze),
            _bone("RightEye", gaze),
            *map(_shape, NAMES, face.blendshapes.tolist()),
            message("/VMC/Ext/Blend/Apply"),
        ]
    return bundles(messages)


def _bone(name: str, rotation: tuple[float, float, float, float]) -> bytes:
    return message("/VMC/Ext/Bone/Pos", name, 0.0, 0.0, 0.0, *rotation)


def _shape(name: str, value: float) -> bytes:
    return message("/VMC/Ext/Blend/Val", _clip(name), value)


@cache
def _clip(name: str) -> str:
    """What VRM avatars with all 52 shapes ("Perfect Sync") call one: BrowInnerUp."""
    return name[0].upper() + name[1:]
