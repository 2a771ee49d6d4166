"""Random faces with known blendshapes."""

from pathlib import Path

import numpy as np
import pytest

from amesh.effects.blendshape_features import features
from amesh.effects.blendshapes import NAMES
from amesh.effects.canonical import OPENGL, canonical_face
from amesh.errors import UserError
from amesh.training.blendshape_faces import (
    Model,
    mirrored_names,
    random_values,
    read_model,
    synthetic_faces,
)

MERGED = ("browInnerUp", "cheekPuff")  # two shapes in ICT-FaceKit


def ict_names() -> list[str]:
    found = []
    for name in NAMES[:-1]:
        if name in MERGED:
            found += [f"{name}_L", f"{name}_R"]
        elif name in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
            found.append(name)
        else:
            found.append(name.replace("Left", "_L").replace("Right", "_R"))
    return found


def write_model(path: Path) -> Path:
    """A model in the axes and the unit of the file; shape i moves landmark i by i mm upwards."""
    names = ict_names()
    expressions = np.zeros((len(names), 478, 3))
    for i in range(len(names)):
        expressions[i, i, 1] = i / 10
    neutral = canonical_face().points @ OPENGL / 10
    identities = np.random.default_rng(0).normal(0, 0.02, (10, 478, 3))
    np.savez(
        path,
        neutral=neutral,
        identities=identities,
        expressions=expressions,
        expression_names=np.array(names),
    )
    return path


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return read_model(write_model(tmp_path / "ict.npz"))


def test_shapes_are_read_by_name_in_our_axes(model: Model) -> None:
    np.testing.assert_allclose(model.neutral, canonical_face().points, atol=1e-9)
    names = ict_names()
    for name, theirs in (("jawLeft", ["jawLeft"]), ("eyeBlinkRight", ["eyeBlink_R"])):
        [at] = map(names.index, theirs)
        np.testing.assert_allclose(model.shapes[NAMES.index(name), at], (0, -at, 0))
    puff = model.shapes[NAMES.index("cheekPuff")]
    for half in ("cheekPuff_L", "cheekPuff_R"):
        at = names.index(half)
        np.testing.assert_allclose(puff[at], (0, -at, 0))


def test_another_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ict\.npz: cannot be read as ICT-FaceKit's shapes"):
        read_model(tmp_path / "ict.npz")
    np.savez(tmp_path / "other.npz", neutral=np.zeros(3))
    with pytest.raises(UserError, match="expression_names"):
        read_model(tmp_path / "other.npz")
    np.save(tmp_path / "array.npy", np.zeros(3))
    with pytest.raises(UserError, match="cannot be read as ICT-FaceKit's shapes"):
        read_model(tmp_path / "array.npy")
    content = dict(np.load(write_model(tmp_path / "ict.npz")))
    np.savez(tmp_path / "short.npz", **{**content, "neutral": content["neutral"][:468]})
    with pytest.raises(UserError, match=r"neutral is \(468, 3\), expected \(478, 3\)"):
        read_model(tmp_path / "short.npz")


def test_mirrored_names() -> None:
    swap = mirrored_names()
    assert NAMES[swap[NAMES.index("mouthLeft")]] == "mouthRight"
    assert NAMES[swap[NAMES.index("jawOpen")]] == "jawOpen"
    np.testing.assert_array_equal(swap[swap], np.arange(51))


def test_values_are_possible() -> None:
    values = random_values(2000, np.random.default_rng(0))
    column = {name: values[:, i] for i, name in enumerate(NAMES[:-1])}
    assert values.min() == 0
    assert 0.9 < values.max() <= 1
    assert (values.max(axis=0) > 0.3).all()
    assert not ((column["jawLeft"] > 0) & (column["jawRight"] > 0)).any()
    assert not ((column["eyeLookUpLeft"] > 0) & (column["eyeLookDownLeft"] > 0)).any()
    assert (column["mouthClose"] <= column["jawOpen"]).all()


def looks(model: Model, name: str, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Where both irises go [mm], to the subject's left and down, if a value is 1."""
    values = np.zeros((1, 51))
    values[0, NAMES.index(name)] = 1
    still = model._replace(shapes=np.zeros_like(model.shapes))
    monkeypatch.setattr("amesh.training.blendshape_faces.random_values", lambda *_: values)
    monkeypatch.setattr("amesh.training.blendshape_faces.seen", lambda faces, _: faces)
    nobody = still._replace(identities=np.zeros_like(model.identities))
    found, _ = synthetic_faces(nobody, 1, np.random.default_rng(0))
    return found.reshape(478, 2)[[468, 473]]


def test_looks_turn_the_irises(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    out = 12 * np.sin(np.radians(28))
    up = -12 * np.sin(np.radians(22))
    for name, expected in {
        "eyeLookOutLeft": [(0, 0), (out, 0)],
        "eyeLookOutRight": [(-out, 0), (0, 0)],
        "eyeLookInRight": [(out, 0), (0, 0)],
        "eyeLookUpRight": [(0, up), (0, 0)],
        "eyeLookDownLeft": [(0, 0), (0, -up)],
    }.items():
        np.testing.assert_allclose(looks(model, name, monkeypatch), expected, atol=1e-4)


def test_people_for_testing_are_others(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """With identities 4 and 9 of 10 at nought, those who are held out all look the same."""
    monkeypatch.setattr("amesh.training.blendshape_faces.seen", lambda faces, _: faces)
    identities = model.identities.copy()
    identities[[4, 9]] = 0
    zero = lambda count, _: np.zeros((count, 51))  # noqa: E731
    monkeypatch.setattr("amesh.training.blendshape_faces.random_values", zero)
    known = model._replace(identities=identities)
    rng = np.random.default_rng(0)
    same, _ = synthetic_faces(known, 3, rng, held_out=True)
    np.testing.assert_allclose(same, np.tile(features(model.neutral[None]), (3, 1)), atol=1e-4)
    different, _ = synthetic_faces(known, 3, rng)
    assert np.abs(different - same).max() > 0.1
