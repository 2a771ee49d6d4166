"""Our own blendshape network."""

from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from amesh.effects import blendshapes
from amesh.effects.blendshape_features import COUNT, features
from amesh.effects.blendshape_network import pack, unpack
from amesh.effects.blendshapes import NAMES, Blendshapes
from amesh.errors import UserError

PAIR = Path(__file__).resolve().parents[2] / "golden" / "blendshapes.npz"


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    with np.load(PAIR) as data:
        return data["landmarks"], data["values"]


def test_a_packed_network_computes_what_its_layers_say() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(COUNT, 4)), rng.normal(size=(4, 51))
    network = unpack(pack([(first, np.ones(4)), (second, np.zeros(51))]))
    x = rng.normal(size=(3, COUNT)).astype(np.float32)
    hidden = np.maximum(x @ first.astype(np.float16).astype(float) + 1, 0)
    expected = 1 / (1 + np.exp(-hidden @ second.astype(np.float16).astype(float)))
    np.testing.assert_allclose(network.values(x), expected, atol=1e-4)


def test_the_network_is_small() -> None:
    content = (resources.files("amesh.effects") / "blendshapes.npz").read_bytes()
    assert len(content) < 1_000_000


def test_it_agrees_with_mediapipes_published_values(pair: tuple[np.ndarray, np.ndarray]) -> None:
    found = Blendshapes()(pair[0])
    assert found.min() >= 0
    assert found.max() <= 1
    assert np.corrcoef(found[:-1], pair[1])[0, 1] >= 0.95


def test_turning_the_head_changes_little(pair: tuple[np.ndarray, np.ndarray]) -> None:
    angle = np.radians(20)
    turn = [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    network = Blendshapes()
    np.testing.assert_allclose(network(pair[0] @ np.array(turn)), network(pair[0]), atol=1e-3)


def test_convention_left_is_the_subjects(pair: tuple[np.ndarray, np.ndarray]) -> None:
    network = Blendshapes()
    closed = pair[0].copy()
    # The eye at 263 and 362, on the right of the picture.
    closed[[386, 385, 387, 384, 388, 398, 466]] = closed[[374, 380, 373, 381, 390, 382, 249]]
    blinks = [blendshapes.index("eyeBlinkLeft"), blendshapes.index("eyeBlinkRight")]
    before, after = network(pair[0])[blinks], network(closed)[blinks]
    assert after[0] > before[0] + 0.3
    assert abs(after[1] - before[1]) < 0.15


def test_it_needs_depth(pair: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(UserError, match="blendshapes need landmarks with depth"):
        Blendshapes()(pair[0][:, :2])


def test_coincident_points_are_no_face() -> None:
    assert np.isnan(Blendshapes()(np.ones((478, 3)))[:-1]).all()


def test_each_name_has_a_grade() -> None:
    grades = blendshapes.grades()
    assert tuple(grades) == NAMES
    assert [name for name, grade in grades.items() if grade == "absent"] == ["tongueOut"]
    assert list(grades.values()).count("measured") >= 25
    assert set(grades.values()) == {"measured", "estimated", "absent"}


def test_features_are_all_that_it_sees(pair: tuple[np.ndarray, np.ndarray]) -> None:
    from amesh.effects.blendshape_network import read_network

    faces = pair[0][None].astype(np.float64)
    np.testing.assert_array_equal(read_network()(faces), read_network().values(features(faces)))
