"""Training our blendshape network."""

import numpy as np
import pytest
import torch

from amesh.effects.blendshape_features import COUNT
from amesh.effects.blendshapes import NAMES
from amesh.effects.canonical import canonical_face
from amesh.training import blendshapes
from amesh.training.blendshape_faces import Model
from amesh.training.blendshapes import Examples, fit, real_examples


def test_it_learns_values_from_raw_features() -> None:
    rng = np.random.default_rng(0)
    seen = rng.normal(5, 3, (1024, COUNT)).astype(np.float32)
    values = np.tile(seen[:, :1] > 5, (1, 51)).astype(np.float32)
    weights = np.ones_like(values)
    weights[:, 1] = 0
    layers = fit(Examples(seen, values, weights), epochs=12)
    with torch.no_grad():
        x = torch.from_numpy(seen)
        for layer in layers[:-1]:
            x = layer(x).relu()
        found = layers[-1](x).sigmoid().numpy()
    away = np.abs(found - values).mean(axis=0)
    assert away[0] < 0.15
    assert away[1] > 0.25  # it did not count


def test_what_google_knows_and_what_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    taught = np.random.default_rng(1).uniform(size=(4, 51)).astype(np.float32)
    monkeypatch.setattr(blendshapes, "read_network", lambda: lambda _: taught)
    shapes = np.zeros((51, 478, 3))
    sneer, left, right = map(NAMES.index, ("noseSneerLeft", "jawLeft", "jawRight"))
    shapes[sneer, 4, 1] = -10  # [mm]
    model = Model(canonical_face().points, shapes, np.zeros((1, 478, 3)))
    faces = np.tile(canonical_face().points, (4, 1, 1))
    plain, mirrored, added = real_examples(faces, model, np.random.default_rng(2))
    np.testing.assert_array_equal(plain.values, taught)
    assert plain.weights[0, [sneer, left, right]].tolist() == [0, plain.weights[0, left], 0]
    assert plain.weights[0, left] > 0
    np.testing.assert_array_equal(mirrored.values[:, right], taught[:, left])
    assert mirrored.weights[0, right] > 0
    assert mirrored.weights[0, left] == 0
    moved = added.features.reshape(4, 478, 2)[:, 4, 1] - plain.features.reshape(4, 478, 2)[:, 4, 1]
    np.testing.assert_allclose(moved, -10 * added.values[:, sneer], atol=1e-4)
    smile = NAMES.index("mouthSmileLeft")
    np.testing.assert_array_equal(added.values[:, smile], taught[:, smile])
