"""Frames as they are streamed, with numbers that are easy to find again."""

import numpy as np

from amesh.effects.blendshapes import NAMES
from amesh.geometry.roi import Roi
from amesh.pipeline.face_pipeline import Face
from amesh.streaming.state import FaceState, FrameState


def puppet(id: int = 0, shapes: dict[str, float] | None = None) -> FaceState:
    """A face that turns its head to the picture's right, down and clockwise."""
    values = np.zeros(52)
    for name, value in (shapes or {"jawOpen": 0.25}).items():
        values[NAMES.index(name)] = value
    landmarks = np.full((478, 3), 7.5, np.float32)
    return FaceState(
        face=Face(id, 0.9, landmarks, Roi.at(100, 100, 200)),
        rotation=(30.0, 20.0, 10.0),
        position=(10.0, 20.0, 500.0),
        gaze=(8.0, 4.0),
        opening=(0.3, 0.25),
        closed=(False, True),
        blendshapes=values,
    )


def streamed(*faces: FaceState, index: int = 3, time: float = 0.125) -> FrameState:
    """A frame with these faces, the first one being the main one."""
    return FrameState("clip.mp4", index, time, (640, 480), faces, faces[0] if faces else None)
