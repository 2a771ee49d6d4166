"""Training our blendshape network."""

import numpy as np
import torch

from amesh.effects.blendshape_features import COUNT
from amesh.training.blendshape_examples import Examples
from amesh.training.blendshapes import fit


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
