"""Trains our blendshape network, `amesh/effects/blendshapes.npz`, from two teachers.

`amesh effects train` runs it. Google's network tells what real faces do, by their labelled
landmarks; but it hardly ever answers for some names (`_UNSURE`). ICT-FaceKit's shapes tell what
each name does to random people; but only in the way of its own model. A network that learns from
both knows all names.
"""

import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import nn

from amesh.data.sources.problems import Problems
from amesh.data.sources.shards import ShardSource
from amesh.effects.blendshape_features import COUNT, features
from amesh.effects.blendshape_network import pack
from amesh.effects.blendshapes import NAMES
from amesh.errors import UserError
from amesh.files import write_atomically
from amesh.topology import load
from amesh.training.blendshape_faces import Model, mirrored_names, read_model, synthetic_faces
from amesh.weights.released_blendshapes import read_network

SHAPES = len(NAMES) - 1  # without tongueOut
# Names for which Google's network has next to nothing to say.
_UNSURE = (
    *("cheekPuff", "cheekSquintLeft", "cheekSquintRight", "jawForward"),
    *("noseSneerLeft", "noseSneerRight"),
)
_UNSURE_SIDE = ("jawRight", "eyeWideRight")  # it knows the other side, so mirrored faces teach them
_WIDTHS = (256, 128)
_BATCH = 256
_RATE = 2.5e-3
_PART = 1000  # synthetic faces that are in memory at a time
_NOISE = 0.3  # of the features, against jitter [mm]
_LEAST_SPREAD = 0.7  # by which a feature is divided [mm]


class Examples(NamedTuple):
    """What the network learns from: features, values, and how much each value counts."""

    features: Float32[np.ndarray, "n f"]
    values: Float32[np.ndarray, "n 51"]
    weights: Float32[np.ndarray, "n 51"]


def real_examples(
    faces: Float[np.ndarray, "n 478 3"], model: Model, rng: np.random.Generator
) -> Iterator[Examples]:
    """Real faces, the same mirrored, and the same with shapes of the names that Google leaves out.

    Args:
        faces: Landmarks [px].
        model: ICT-FaceKit's shapes.
        rng: Where random numbers come from.
    """
    teacher = read_network()
    values = np.concatenate([teacher(faces[i : i + 64]) for i in range(0, len(faces), 64)])
    swap = mirrored_names()
    seen = features(faces)
    sure = np.ones(SHAPES)
    sure[_places(_UNSURE + _UNSURE_SIDE)] = 0
    yield _examples(seen, values, np.tile(sure, (len(faces), 1)))

    flipped = features(faces[:, load().mirror] * (-1.0, 1.0, 1.0))
    yield _examples(flipped, values[:, swap], np.tile(sure[swap], (len(faces), 1)))

    places = sorted({*_places(_UNSURE + _UNSURE_SIDE), *swap[_places(_UNSURE_SIDE)].tolist()})
    amounts = rng.uniform(size=(len(faces), len(places)))
    amounts *= rng.random(amounts.shape) < 0.2
    left, right = (places.index(NAMES.index(name)) for name in ("jawLeft", "jawRight"))
    amounts[(amounts[:, left] > 0) & (amounts[:, right] > 0), left] = 0
    moved = amounts @ model.shapes[places, :, :2].reshape(len(places), COUNT)
    changed = values.copy()
    changed[:, places] = amounts
    yield _examples(seen + moved, changed, np.ones_like(values))


def _places(names: tuple[str, ...]) -> list[int]:
    return [NAMES.index(name) for name in names]


def _examples(*arrays: np.ndarray) -> Examples:
    return Examples(*(np.asarray(array, np.float32) for array in arrays))


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
        parts.append(_examples(seen, values, np.ones_like(values)))
    parts += real
    examples = Examples(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
    layers = fit(examples, epochs)
    arrays = [(one.weight.detach().T.numpy(), one.bias.detach().numpy()) for one in layers]
    write_atomically(output, pack(arrays))
    return len(examples.values)
