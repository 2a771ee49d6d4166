"""ARKit's expressions as morph targets."""

import cv2
import numpy as np
import pytest

from amesh.effects.blendshapes import NAMES, Blendshapes
from amesh.effects.canonical import canonical_face
from amesh.effects.morph_targets import morph_targets
from amesh.errors import UserError
from amesh.topology import load

FACE = canonical_face().points
UPPER_LID, LOWER_LID = (159, 386), (145, 374)  # middles: the subject's right eye, the left one


def test_there_is_one_for_each_name_but_the_tongue() -> None:
    targets = morph_targets(FACE)
    assert tuple(targets) == NAMES[:-1]
    assert all(np.abs(move).max() > 1 for move in targets.values())  # [mm]


def test_directions() -> None:
    targets = morph_targets(FACE)
    assert targets["jawOpen"][152, 1] > 15  # the chin moves down
    assert targets["jawLeft"][152, 0] > 3  # the subject's left is on the right of the picture
    assert targets["browInnerUp"][107, 1] < -2
    assert targets["mouthSmileLeft"][291, 1] < -2  # the left corner of the mouth
    assert abs(targets["mouthSmileLeft"][61, 1]) < 0.5
    assert targets["eyeLookOutLeft"][473, 0] > 3
    assert targets["eyeLookOutRight"][468, 0] < -3
    assert targets["eyeLookUpLeft"][473, 1] < -3


@pytest.mark.parametrize("opening", [0.5, 1.0, 1.4])
def test_a_blink_closes_this_face_s_own_eyes(opening: float) -> None:
    face = FACE.copy()
    lids = load().contours["right_eye"][0]
    face[list(lids), 1] = face[33, 1] + opening * (face[list(lids), 1] - face[33, 1])
    targets = morph_targets(face)
    for name, upper, lower in zip(
        ("eyeBlinkRight", "eyeBlinkLeft"), UPPER_LID, LOWER_LID, strict=True
    ):
        closed = face + targets[name]
        np.testing.assert_allclose(closed[upper], closed[lower], atol=1e-9)
    iris = (face + targets["eyeBlinkRight"])[468:473]
    assert np.ptp(iris[:, 1]) < 2  # next to nothing of it is left [mm]
    assert np.ptp(face[468:473, 1]) > 10
    np.testing.assert_array_equal(targets["eyeBlinkRight"][473:478], 0)


def test_they_turn_and_grow_with_the_face() -> None:
    turn = cv2.Rodrigues(np.array([0.2, 0.5, -0.3]))[0]
    turned = morph_targets(3 * FACE @ turn.T + (500, -20, 70))
    for name, move in morph_targets(FACE).items():
        np.testing.assert_allclose(turned[name], 3 * move @ turn.T, atol=1e-6)


def test_our_blendshapes_recognise_them() -> None:
    blendshapes, targets = Blendshapes(), morph_targets(FACE)
    for name in ("jawOpen", "mouthSmileLeft", "eyeBlinkRight", "browInnerUp", "mouthPucker"):
        rest, made = blendshapes(np.stack([FACE, FACE + 0.8 * targets[name]]))
        assert NAMES[int((made - rest).argmax())] == name


@pytest.mark.parametrize("place", [1.0, 0.1, (320.1, 240.3, -7.7)])  # some means are rounded
def test_equal_points_are_refused(place: float | tuple[float, ...]) -> None:
    with pytest.raises(UserError, match="lie in one point"):
        morph_targets(np.broadcast_to(place, (478, 3)))
