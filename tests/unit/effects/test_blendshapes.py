"""Blendshapes: names, calibration, and Google's network."""

import re
from pathlib import Path

import numpy as np
import pytest

from amesh.effects import blendshapes
from amesh.effects.blendshapes import NAMES, Blendshapes
from amesh.effects.canonical import canonical_face
from amesh.effects.morph_targets import morph_targets
from amesh.errors import UserError
from amesh.topology import load

# MediaPipe's published pair: landmarks of a face, and what its network says of them.
PAIR = Path(__file__).resolve().parents[2] / "golden" / "blendshapes.npz"
BLINK = [NAMES.index("eyeBlinkLeft"), NAMES.index("eyeBlinkRight")]
JAW = NAMES.index("jawOpen")


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    with np.load(PAIR) as data:
        return data["landmarks"], data["values"]


class Stand:
    """A network whose values are the numbers that a test writes into the landmarks' z."""

    def __call__(self, landmarks: np.ndarray) -> np.ndarray:
        return np.asarray(landmarks[:, :51, 2])


def face(**values: float) -> np.ndarray:
    """The canonical face with its lips closed, and values for the stand-in."""
    points = canonical_face().points.copy()
    points[14] = points[13]
    points[:, 2] = 0
    for name, value in values.items():
        points[NAMES.index(name), 2] = value
    return points


@pytest.fixture
def standing(monkeypatch: pytest.MonkeyPatch) -> Blendshapes:
    monkeypatch.setattr(blendshapes, "_NETWORKS", {"stand": f"{__name__}:Stand"})
    return Blendshapes("stand")


def test_the_names_are_52_in_order() -> None:
    assert len(set(NAMES)) == len(NAMES) == 52
    assert NAMES[-1] == "tongueOut"
    assert list(NAMES[:-1]) == sorted(NAMES[:-1])
    assert blendshapes.index("jawOpen") == JAW == 24


def test_a_name_that_is_not_of_the_52() -> None:
    with pytest.raises(UserError, match=r"'JawOpen' is not .*nearest of the 52 is jawOpen"):
        blendshapes.index("JawOpen")


def test_the_values_of_a_mirrored_face_change_sides_approximately(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    network, face = Blendshapes(), pair[0] + 0.8 * morph_targets(pair[0])["jawLeft"]
    ours, theirs = network(np.stack([face, face[load().mirror] * (-1, 1, 1)]))
    other = {"Left": "Right", "Right": "Left"}
    exchanged = [re.sub("Left|Right", lambda side: other[side[0]], name) for name in NAMES]
    away = np.abs(ours - theirs[[NAMES.index(name) for name in exchanged]])
    assert away.mean() < 0.03
    assert away.max() < 0.2
    assert np.abs(ours - theirs).max() > 0.4  # the jaw is at one side


def test_a_network_that_there_is_not() -> None:
    with pytest.raises(UserError, match="no blendshape network 'google'; use amesh or released"):
        Blendshapes("google")


def test_one_face_or_a_batch(standing: Blendshapes) -> None:
    one = face(jawOpen=0.4)
    assert standing(one).shape == (52,)
    both = standing(np.stack([one, np.full_like(one, np.nan)]))
    np.testing.assert_array_equal(both[0], standing(one))
    assert np.isnan(both[1]).all()


def test_a_calibrated_face_is_zero_at_rest(standing: Blendshapes) -> None:
    rest = face(browDownLeft=0.9, mouthFrownRight=0.25)
    standing.calibrate(rest)
    assert standing(rest).max() == 0
    frown = standing(face(browDownLeft=0.9, mouthFrownRight=0.625))
    assert frown[NAMES.index("mouthFrownRight")] == pytest.approx(0.5)
    # Almost at the end of the scale at rest: what is left of it is not stretched without limit.
    brows = standing(face(browDownLeft=1.0))[NAMES.index("browDownLeft")]
    assert brows == pytest.approx(0.1 / 0.2)


def test_a_new_calibration_replaces_the_old_one(standing: Blendshapes) -> None:
    standing.calibrate(face(cheekPuff=0.5))
    standing.calibrate(face())
    assert standing(face(cheekPuff=0.5))[NAMES.index("cheekPuff")] == 0.5


def test_lids_keep_the_range_of_the_persons_own_blinks(standing: Blendshapes) -> None:
    blink = face(eyeBlinkLeft=0.7, eyeBlinkRight=0.6)
    rest = face(eyeBlinkLeft=0.2, eyeBlinkRight=0.1)
    standing.calibrate(np.stack([rest] * 9 + [blink]))
    np.testing.assert_allclose(standing(blink)[BLINK], 1)
    np.testing.assert_allclose(standing(rest)[BLINK], 0)
    half = standing(face(eyeBlinkLeft=0.45, eyeBlinkRight=0.35))
    np.testing.assert_allclose(half[BLINK], 0.5)
    # Without a blink in the frames, lids close at 1.
    standing.calibrate(rest)
    assert standing(face(eyeBlinkLeft=1.0))[BLINK[0]] == 1
    assert standing(blink)[BLINK[0]] == pytest.approx(0.5 / 0.8)


def test_what_cannot_be_calibrated_on(standing: Blendshapes) -> None:
    mouth = face()
    mouth[[14, 87, 317], 1] += 20  # [mm]
    with pytest.raises(UserError, match="mouth is open in calibration"):
        standing.calibrate(mouth)
    with pytest.raises(UserError, match=r"eyes are closed in calibration .eyeBlinkRight is 0\.90"):
        standing.calibrate(face(eyeBlinkRight=0.9))
    with pytest.raises(UserError, match="at least one frame"):
        standing.calibrate(np.full((2, 478, 3), np.nan))


@pytest.mark.weights
def test_googles_network_gives_its_published_values(pair: tuple[np.ndarray, np.ndarray]) -> None:
    landmarks, values = pair
    found = Blendshapes("released")(landmarks)
    np.testing.assert_allclose(found[:-1], values, atol=1e-4)
    assert found[-1] == 0


@pytest.mark.weights
def test_place_and_size_in_the_picture_do_not_matter(pair: tuple[np.ndarray, np.ndarray]) -> None:
    released = Blendshapes("released")
    values = released(pair[0])
    np.testing.assert_allclose(released(pair[0] * 3 + (70, -900, 5)), values, atol=1e-4)


@pytest.mark.weights
def test_convention_left_is_the_subjects(pair: tuple[np.ndarray, np.ndarray]) -> None:
    released = Blendshapes("released")
    closed = pair[0].copy()
    # The eye at 263 and 362, on the right of the picture.
    closed[[386, 385, 387, 384, 388, 398, 466]] = closed[[374, 380, 373, 381, 390, 382, 249]]
    before, after = released(pair[0])[BLINK], released(closed)[BLINK]
    assert after[0] > before[0] + 0.3
    assert abs(after[1] - before[1]) < 0.1


@pytest.mark.weights
def test_a_neutral_face_may_be_given_at_once(pair: tuple[np.ndarray, np.ndarray]) -> None:
    neutral = pair[0].copy()
    neutral[14] = neutral[13]  # its mouth is open
    assert Blendshapes("released", neutral=neutral)(neutral).max() == 0
