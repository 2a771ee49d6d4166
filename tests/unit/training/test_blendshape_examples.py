"""What our blendshape network learns from real faces."""

import numpy as np
import pytest

from amesh.effects.blendshapes import NAMES
from amesh.effects.canonical import canonical_face
from amesh.training import blendshape_examples
from amesh.training.blendshape_examples import COUNT_MORE, Examples, examples, real_examples
from amesh.training.blendshape_faces import Model

SNEER, LEFT, RIGHT, JAW, SMILE, BROW = map(
    NAMES.index,
    ("noseSneerLeft", "jawLeft", "jawRight", "jawOpen", "mouthSmileLeft", "browInnerUp"),
)
IN_PICTURE, AT_FRONT = np.random.default_rng(1).uniform(size=(2, 4, 51)).astype(np.float32)


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> list[Examples]:
    """Of four faces; the teacher answers by whether it sees depth, which only pictures have."""

    def teacher(faces: np.ndarray) -> np.ndarray:
        return IN_PICTURE if faces.shape[-1] == 3 else AT_FRONT

    monkeypatch.setattr(blendshape_examples, "read_network", lambda: teacher)
    shapes = np.zeros((51, 478, 3))
    shapes[SNEER, 4, 1] = -10  # [mm]
    model = Model(canonical_face().points, shapes, np.zeros((1, 478, 3)))
    faces = np.tile(canonical_face().points, (4, 1, 1))
    return list(real_examples(faces, model, np.random.default_rng(2)))


def test_the_mouth_is_asked_about_at_the_front_and_the_rest_in_the_picture(
    parts: list[Examples],
) -> None:
    plain, mirrored, _ = parts
    np.testing.assert_array_equal(plain.values[:, JAW], AT_FRONT[:, JAW])
    np.testing.assert_array_equal(plain.values[:, BROW], IN_PICTURE[:, BROW])
    np.testing.assert_array_equal(mirrored.values[:, RIGHT], AT_FRONT[:, LEFT])


def test_names_that_google_does_not_know_do_not_count(parts: list[Examples]) -> None:
    plain, mirrored, _ = parts
    assert plain.weights[0, [SNEER, LEFT, RIGHT]].tolist() == [0, 1, 0]
    assert mirrored.weights[0, [SNEER, LEFT, RIGHT]].tolist() == [0, 0, 1]


def test_what_is_added_counts_more_than_what_is_not(parts: list[Examples]) -> None:
    plain, _, added = parts
    lifted = (added.features - plain.features).reshape(4, 478, 2)[:, 4, 1]
    np.testing.assert_allclose(lifted, -10 * added.values[:, SNEER], atol=1e-4)
    some = added.values[:, SNEER] > 0
    assert (added.weights[some, SNEER] > 1).all()
    assert (added.weights[~some, SNEER] < 0.5).all()
    np.testing.assert_array_equal(added.values[:, SMILE], AT_FRONT[:, SMILE])


def test_jaw_and_lids_count_more() -> None:
    ones = np.ones((2, 51))
    synthetic, real = (examples(ones, ones, ones, real=real).weights[0] for real in (False, True))
    for name, expected in COUNT_MORE.items():
        assert (synthetic[NAMES.index(name)], real[NAMES.index(name)]) == expected
    assert synthetic[SMILE] == real[SMILE] == 1
