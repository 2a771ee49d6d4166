import math
from collections.abc import Callable

import numpy as np
import pytest

from amesh.geometry.roi import Roi
from amesh.pipeline.looks import Looks, look_again
from amesh.topology import load

TOPOLOGY = load()
# The mean face, about as large as its region is when it comes from a detection.
FACE = 53 * TOPOLOGY.template[:, :2]

Confidence = Callable[[float], float]


def turn(points: np.ndarray, degrees: float) -> np.ndarray:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return points @ np.array([[c, s], [-s, c]])


class Scene:
    """Faces side by side, 300 px apart, and a network that takes each for an upright one.

    It is as wrong about the roll as it is far from the nearest quarter turn of the crop.
    """

    def __init__(self, rolls: list[float], confidence: Confidence, face: np.ndarray = FACE) -> None:
        self.rolls, self.confidence, self.face = rolls, confidence, face
        self.regions: list[Roi] = []

    def __call__(self, rois: Roi) -> Looks:
        self.regions.append(rois)
        landmarks, logits = [], []
        for centre, angle in zip(rois.centre, rois.angle, strict=True):
            number = round(centre[0].item() / 300)
            off = (self.rolls[number] - math.degrees(angle) + 180) % 360 - 180
            quarters = round(off / 90) * 90
            points = turn(self.face, self.rolls[number] - quarters)
            points = points + np.array([300.0 * number, 0.0])
            landmarks.append(np.pad(points, ((0, 0), (0, 1))))
            logits.append(self.confidence(off))
        return Looks(rois, np.stack(landmarks), np.array(logits, np.float64))

    def first(self, angles: list[float] | None = None) -> Looks:
        count = len(self.rolls)
        centres = np.array([[300.0 * i, 0.0] for i in range(count)])
        degrees = np.array(angles or [0.0] * count)
        looks = self(Roi(centres, np.full(count, 150.0), np.deg2rad(degrees)))
        self.regions.clear()
        return looks

    def truth(self, number: int) -> np.ndarray:
        return turn(self.face, self.rolls[number]) + np.array([300.0 * number, 0.0])

    @property
    def looked(self) -> list[int]:
        return [len(rois.size) for rois in self.regions]


def upright(off: float) -> float:
    """As the default network: sure of upright faces, and rather sure of others."""
    return 22.0 if abs(off) < 45 else 12.0 if abs(off) > 135 else -3.0


def test_a_sure_face_is_looked_at_once():
    scene = Scene([0.0, 15.0], upright)
    first = scene.first()
    assert look_again(first, scene, TOPOLOGY) is first
    assert scene.looked == []


@pytest.mark.parametrize("roll", [90.0, 180.0, 270.0])
def test_a_turned_face_is_the_right_way_up(roll: float):
    scene = Scene([0.0, roll, 10.0], upright)
    first = scene.first()
    best = look_again(first, scene, TOPOLOGY)
    assert scene.looked == ([1, 1] if roll == 180 else [1, 1, 1, 1]) + [1]
    np.testing.assert_allclose(best.landmarks[1, :, :2], scene.truth(1), atol=1e-9)
    assert best.logits.tolist() == [22.0, 22.0, 22.0]
    assert (best.rois.angle[1].item() - math.radians(roll)) % math.tau == pytest.approx(0)
    for row in (0, 2):
        np.testing.assert_array_equal(best.landmarks[row], first.landmarks[row])


def test_a_rolled_face_is_looked_at_straight():
    scene = Scene([30.0], upright)
    best = look_again(scene.first(), scene, TOPOLOGY)
    assert scene.looked == [1]
    assert math.degrees(best.rois.angle.item()) == pytest.approx(30)


def test_a_nod_does_not_roll_a_profile():
    """The line between its eyes is turned by 45 degrees."""
    cos, sin = math.cos(math.radians(80)), math.sin(math.radians(80))
    x, y, z = TOPOLOGY.template.T
    x, z = cos * x + sin * z, cos * z - sin * x
    profile = 53 * np.stack([x, y * math.cos(0.175) - z * math.sin(0.175)], axis=1)
    scene = Scene([0.0, 30.0], upright, profile)
    first = scene.first()
    best = look_again(first, scene, TOPOLOGY)
    assert scene.looked == [1]
    np.testing.assert_array_equal(best.landmarks[0], first.landmarks[0])
    assert math.degrees(best.rois.angle[1].item()) == pytest.approx(30)


def test_a_little_more_confidence_does_not_turn_a_face():
    scene = Scene([0.0], lambda off: 10.0 if abs(off) < 45 else 12.0)
    best = look_again(scene.first(), scene, TOPOLOGY)
    np.testing.assert_allclose(best.landmarks[0, :, :2], scene.truth(0), atol=1e-9)


def test_a_profile_is_not_turned():
    profile = FACE * np.array([0.7, 1.0])
    scene = Scene([0.0], lambda off: 10.0 if abs(off) < 45 else 20.0, profile)
    best = look_again(scene.first(), scene, TOPOLOGY)
    assert scene.looked == [1, 1, 1, 1, 1]
    np.testing.assert_allclose(best.landmarks[0, :, :2], scene.truth(0), atol=1e-9)


def test_a_likely_face_is_only_turned_upside_down():
    scene = Scene([0.0, 0.0], lambda off: 15.0 if abs(off) < 45 else -3.0)
    look_again(scene.first(), scene, TOPOLOGY)
    assert scene.looked == [2, 2]
    np.testing.assert_allclose(np.rad2deg(scene.regions[1].angle), [180.0, 180.0])


@pytest.mark.parametrize(("turned", "looked"), [(-5.1, [1, 1, 1, 1]), (-4.9, [1, 1, 1, 1, 1])])
def test_only_a_turned_look_of_similar_confidence_is_followed(turned: float, looked: list[int]):
    scene = Scene([0.0], lambda off: 10.0 if abs(off) < 45 else turned)
    look_again(scene.first(), scene, TOPOLOGY)
    assert scene.looked == looked


def test_the_most_confident_turn_is_followed():
    scene = Scene([270.0], lambda off: {0: 20.0, 180: 9.0}.get(round(abs(off)), 8.0))
    best = look_again(scene.first(), scene, TOPOLOGY)
    assert scene.looked == [1, 1, 1, 1, 1]
    assert math.degrees(scene.regions[-1].angle.item()) % 360 == pytest.approx(270)
    np.testing.assert_allclose(best.landmarks[0, :, :2], scene.truth(0), atol=1e-9)


def test_the_second_look_denies_what_is_no_face():
    answers = iter([3.0, -2.0, *[5.0] * 4])
    scene = Scene([0.0], lambda _: next(answers))
    best = look_again(scene.first(), scene, TOPOLOGY)
    assert best.logits.item() == -2.0  # nor do turned looks of little confidence save it


def test_a_denied_face_comes_back_only_if_a_look_is_confident():
    for confident, kept in ((7.0, -4.0), (20.0, 20.0)):
        scene = Scene([180.0], lambda off: -4.0 if abs(off) > 45 else confident)  # noqa: B023
        assert look_again(scene.first(), scene, TOPOLOGY).logits.item() == kept


@pytest.mark.parametrize("scale", [0.0, 0.01, 100.0, float("nan")])
def test_nonsense_is_not_followed(scale: float):
    scene = Scene([0.0], lambda _: 1.0)
    first = scene.first()
    first = first._replace(landmarks=first.landmarks * scale)
    look_again(first, scene, TOPOLOGY)
    np.testing.assert_array_equal(scene.regions[0].size, [150.0])
    np.testing.assert_array_equal(scene.regions[0].centre, [[0.0, 0.0]])


def looks_of(errors: list[float] | None) -> Looks:
    count = 3
    rois = Roi(np.zeros((count, 2)), np.ones(count), np.zeros(count))
    wide = None if errors is None else np.tile(np.array(errors)[:, None], (1, 2))
    return Looks(rois, np.zeros((count, 2, 3)), np.zeros(count), wide)


def test_expected_errors_are_those_of_the_look_that_is_kept():
    first, second = looks_of([1.0, 2.0, 3.0]), looks_of([7.0, 8.0, 9.0])
    rows = np.array([2, 0])
    mixed = first.replaced(rows, second.pick(rows))
    assert mixed.errors[:, 0].tolist() == [7.0, 2.0, 9.0]
    assert first.errors[:, 0].tolist() == [1.0, 2.0, 3.0]
    assert looks_of(None).replaced(rows, looks_of(None).pick(rows)).errors is None
