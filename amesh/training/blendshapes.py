"""Trains our blendshape network, `amesh/effects/blendshapes.npz`, from two teachers.

`amesh effects train` runs it. Google's network tells what real faces do, by their labelled
landmarks; but it hardly ever answers for some names. ICT-FaceKit's shapes tell what
each name does to random people; but only in the way of its own model. A network that learns from
both knows all names.
"""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from amesh.data.sources.problems import Problems
from amesh.data.sources.shards import ShardSource
from amesh.effects.blendshape_features import COUNT
from amesh.effects.blendshape_network import pack
from amesh.errors import UserError
from amesh.files import write_atomically
from amesh.training.blendshape_examples import SHAPES, Examples, examples, real_examples
from amesh.training.blendshape_faces import read_model, synthetic_faces

_WIDTHS = (256, 128)
_BATCH = 256
_RATE = 2.5e-3
_PART = 1000  # synthetic faces that are in memory at a time
_NOISE = 0.2  # of the features, against jitter [mm]
_LEAST_SPREAD = 0.7  # by which a feature is divided [mm]


def fit(examples: Examples, epochs: int) -> list[nn.Linear]:
    """Trains the network; returns its layers, from features to logits.

    Args:
        examples: What it learns from.
        epochs: How often it sees all of them.
    """
    torch.manual_seed(0)
    seen, values, weights = map(torch.from_numpy, examples)
    middle, spread = seen.mean(0), seen.std(0).clamp_min(_LEAST_SPREAD)
    sizes = (COUNT, *_WIDTHS, SHAPES)
    layers = [nn.Linear(a, b) for a, b in pairwise(sizes)]
    net = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2], nn.Sigmoid())
    nn.init.constant_(layers[-1].bias, -2.0)  # most values are small
    optimiser = torch.optim.AdamW(net.parameters(), _RATE, weight_decay=1e-3)
    steps = len(seen) // _BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=epochs * steps)
    for epoch in range(epochs):
        total, order = 0.0, torch.randperm(len(seen))
        for rows in order[: steps * _BATCH].view(steps, _BATCH):
            noisy = seen[rows] + _NOISE * torch.randn(_BATCH, COUNT)
            found = net((noisy - middle) / spread)
            loss = (weights[rows] * (found - values[rows]) ** 2).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        print(f"epoch {epoch + 1} of {epochs}: loss {total / steps:.5f}", file=sys.stderr)
    with torch.no_grad():  # features need no preparation at run time
        layers[0].weight /= spread
        layers[0].bias.sub_(layers[0].weight @ middle)
    return layers


def labelled_landmarks(folder: Path) -> Float[np.ndarray, "n 478 3"]:
    """The landmarks of all faces in a folder of labelled shards.

    Raises:
        UserError: There are none of face478.
    """
    source = ShardSource(folder, Problems())
    labelled = (source[i] for i in range(len(source)))
    faces = [one.points for one in labelled if one.face and one.points.shape == (478, 3)]
    if not faces:
        raise UserError(f"{folder}: no faces with the 478 landmarks; write some with `amesh label`")
    return np.stack(faces).astype(np.float64)


def train(shards: Path, ict: Path, output: Path, synthetic: int, epochs: int) -> int:
    """Trains the network and writes it; returns the number of faces that it learnt from.

    Args:
        shards: A folder of labelled shards.
        ict: ICT-FaceKit's shapes.
        output: The `.npz` file.
        synthetic: Number of synthetic faces.
        epochs: How often the network sees all faces.

    Raises:
        UserError: The shapes or the shards hold something else, or Google's network has not been
            imported.
    """
    torch.set_num_threads(1)  # more are slower for a network this small
    rng = np.random.default_rng(0)
    model = read_model(ict)
    real = real_examples(labelled_landmarks(shards), model, rng)
    parts = []
    for start in range(0, synthetic, _PART):
        seen, values = synthetic_faces(model, min(_PART, synthetic - start), rng)
        parts.append(examples(seen, values, np.ones_like(values), real=False))
    parts += real
    together = Examples(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
    layers = fit(together, epochs)
    arrays = [(one.weight.detach().T.numpy(), one.bias.detach().numpy()) for one in layers]
    write_atomically(output, pack(arrays))
    return len(together.values)
