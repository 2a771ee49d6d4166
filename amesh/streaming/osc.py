"""Open Sound Control: all faces by their ids, for programs of your own.

Convention
    /amesh/frame       number (int), time [s], how many faces (int)
    /amesh/face/ID/rotation   yaw, pitch, roll of the head [degrees]
    /amesh/face/ID/position   x, y, z in the camera's axes [mm]
    /amesh/face/ID/gaze       yaw, pitch, relative to the head [degrees]
    /amesh/face/ID/closed     right eye (int), left eye (int): 1 if closed
    /amesh/face/ID/jawOpen    and the other 51 blendshapes, from 0 to 1
    Angles and axes are those of `amesh.effects`: positive to the picture's right, down, clockwise.
"""

from amesh.effects.blendshapes import NAMES
from amesh.streaming.osc_packet import bundles, message
from amesh.streaming.state import FaceState, FrameState


def packets(frame: FrameState) -> list[bytes]:
    """The datagrams of a frame."""
    first = message("/amesh/frame", frame.index, float(frame.time), len(frame.faces))
    return bundles([first, *(one for face in frame.faces for one in _messages(face))])


def _messages(state: FaceState) -> list[bytes]:
    place = f"/amesh/face/{state.face.id}/"
    return [
        message(place + "rotation", *state.rotation),
        message(place + "position", *state.position),
        message(place + "gaze", *state.gaze),
        message(place + "closed", *map(int, state.closed)),
        *(
            message(place + name, value)
            for name, value in zip(NAMES, state.blendshapes.tolist(), strict=True)
        ),
    ]
