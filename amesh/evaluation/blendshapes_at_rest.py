"""How near to zero calibrated blendshapes are while a face is at rest.

A person is calibrated on every other frame at rest, and judged by the frames between.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from amesh.effects.blendshapes import NAMES, Blendshapes
from amesh.training.blendshape_faces import people, read_model, seen

_FRAMES = 20  # at rest, of a clip or of a synthetic person
_CLOSED_LIPS = 0.02  # their distance, relative to that of the eyes
PEOPLE = 40


def frames_at_rest(
    lips: Float[np.ndarray, " t"], values: Float[np.ndarray, "t 52"]
) -> Int[np.ndarray, " k"]:
    """The frames in which closed lips, and the face as a whole, do least; none if there are few.

    Args:
        lips: Distance between the lips, relative to that of the eyes.
        values: By another program than the one that is judged.
    """
    closed = np.flatnonzero(lips < _CLOSED_LIPS)
    if len(closed) < _FRAMES:
        return closed[:0]
    return np.sort(closed[np.argsort(values[closed].sum(axis=1))[:_FRAMES]])


def largest_at_rest(
    blendshapes: Blendshapes, faces: Float[np.ndarray, "k 478 3"]
) -> tuple[str, float]:
    """The name that is largest in the mean of every other frame, and this mean."""
    blendshapes.calibrate(faces[::2])
    values = blendshapes(faces[1::2]).mean(axis=0)
    return NAMES[int(values.argmax())], float(values.max())


def synthetic_people_at_rest(ict: Path) -> Float[np.ndarray, " p"]:
    """The largest value of each of some synthetic people whom training has not seen.

    Args:
        ict: ICT-FaceKit's shapes.
    """
    rng = np.random.default_rng(3)
    faces = people(read_model(ict), PEOPLE, rng, held_out=True)
    found = [
        largest_at_rest(Blendshapes(), seen(np.tile(face, (_FRAMES, 1, 1)), rng))[1]
        for face in faces
    ]
    return np.array(found)


def rest_rows(
    clips: Mapping[str, tuple[Float[np.ndarray, "t 478 3"], Int[np.ndarray, " k"]]],
) -> list[tuple[str, str, str]]:
    """A line for each clip: its name, the largest value at rest, and whose it is.

    Args:
        clips: Landmarks, and the frames at rest.
    """
    rows = []
    for name, (landmarks, rest) in clips.items():
        if not len(rest):
            rows.append((name, "-", "too few frames with closed lips"))
            continue
        largest, value = largest_at_rest(Blendshapes(), landmarks[rest])
        rows.append((name, f"{value:.2f}", largest))
    return rows
