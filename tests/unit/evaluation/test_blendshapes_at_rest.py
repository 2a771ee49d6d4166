"""Calibrated blendshapes of faces at rest."""

import numpy as np

from amesh.effects.blendshapes import NAMES, Blendshapes
from amesh.effects.canonical import canonical_face
from amesh.evaluation.blendshapes_at_rest import frames_at_rest, largest_at_rest, rest_rows


class Stand(Blendshapes):
    """Blendshapes whose values are the landmarks' z, less what the last face calibrated on had."""

    def __init__(self) -> None:
        self.rest = np.zeros(52)

    def calibrate(self, faces: np.ndarray) -> None:
        self.rest = faces[-1, :52, 2]

    def __call__(self, faces: np.ndarray) -> np.ndarray:
        return faces[:, :52, 2] - self.rest


def test_frames_at_rest_have_closed_lips_and_least_values() -> None:
    lips = np.zeros(50)
    lips[:10] = 0.2
    values = np.zeros((50, 52))
    values[:, 3] = np.arange(50)
    assert frames_at_rest(lips, values).tolist() == list(range(10, 30))
    assert frames_at_rest(lips[:25], values[:25]).size == 0


def test_every_other_frame_is_judged() -> None:
    faces = np.zeros((4, 478, 3))
    faces[:, 2, 2] = [0.1, 0.3, 0.1, 0.5]
    name, value = largest_at_rest(Stand(), faces)
    assert name == NAMES[2]
    np.testing.assert_allclose(value, 0.3)


def test_clips_without_rest_say_so() -> None:
    faces = np.tile(canonical_face().points, (30, 1, 1))
    faces[:, 14] = faces[:, 13]
    rest = np.arange(20)
    rows = rest_rows({"a.mp4": (faces, rest), "b.mp4": (faces, rest[:0])})
    assert rows[0][:2] == ("a.mp4", "0.00")
    assert rows[1] == ("b.mp4", "-", "too few frames with closed lips")
