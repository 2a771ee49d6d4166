"""A line of JSON for each frame: the records of `amesh run`, with what puppets need added.

Convention
    As in `amesh.pipeline.results`, and in each face: "rotation" [yaw, pitch, roll] of the head
    [degrees], "position" [x, y, z] in the camera's axes [mm], "gaze" [yaw, pitch] of both eyes,
    relative to the head [degrees], "opening" and "closed" of the [right, left] eye, "blendshapes",
    an object with 52 numbers from 0 to 1.
"""

from collections.abc import Iterable
from typing import Any

from amesh.effects.blendshapes import NAMES
from amesh.pipeline.results import picture_result, to_line
from amesh.streaming.state import FaceState, FrameState


def line(frame: FrameState) -> str:
    """The line of a frame, in ASCII, without its end."""
    faces = [state.face for state in frame.faces]
    record = picture_result(frame.source, frame.index, frame.time, frame.size, faces)
    for face, state in zip(record["faces"], frame.faces, strict=True):
        face.update(_added(state))  # type: ignore[typeddict-item]
    return to_line(record)


def _added(state: FaceState) -> dict[str, Any]:
    values = state.blendshapes.tolist()
    return {
        "rotation": _rounded(state.rotation, 3),
        "position": _rounded(state.position, 2),
        "gaze": _rounded(state.gaze, 3),
        "opening": _rounded(state.opening, 4),
        "closed": list(state.closed),
        "blendshapes": dict(zip(NAMES, _rounded(values, 4), strict=True)),
    }


def _rounded(values: Iterable[float], digits: int) -> list[float]:
    return [round(float(one), digits) + 0.0 for one in values]  # no -0.0
