"""Our blendshape network: three dense layers over the landmarks of a face seen from the front."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from amesh.effects.blendshape_features import features
from amesh.effects.released_blendshapes import Layer, sigmoid
from amesh.errors import UserError


@dataclass(frozen=True, eq=False)
class BlendshapeNetwork:
    """The network.

    Attributes:
        layers: From features to the logits of the values, with rectifiers between.
    """

    layers: Sequence[Layer]

    def __call__(self, landmarks: Float[np.ndarray, "b 478 d"]) -> Float32[np.ndarray, "b 51"]:
        """Runs the network.

        Args:
            landmarks: [image px].

        Returns:
            Values from 0 to 1, those of the names in `amesh.effects.blendshapes` in order, up to
            noseSneerRight.

        Raises:
            UserError: The landmarks have no depth.
        """
        if landmarks.shape[-1] != 3:
            raise UserError("blendshapes need landmarks with depth, (478, 3); found (478, 2)")
        return self.values(features(landmarks))

    def values(self, x: Float32[np.ndarray, "b f"]) -> Float32[np.ndarray, "b 51"]:
        """The values of features."""
        *hidden, last = self.layers
        for layer in hidden:
            x = np.maximum(layer(x), 0)
        return sigmoid(last(x))


@cache
def read_network() -> BlendshapeNetwork:
    """Reads the network that comes with the package."""
    return unpack((resources.files("amesh.effects") / "blendshapes.npz").read_bytes())


def pack(layers: Sequence[tuple[np.ndarray, np.ndarray]]) -> bytes:
    """A file of layers: weights (in, out) in half precision, biases (out,)."""
    file = io.BytesIO()
    arrays: dict[str, Any] = {
        f"weight_{i}": weight.astype(np.float16) for i, (weight, _) in enumerate(layers)
    }
    arrays |= {f"bias_{i}": bias.astype(np.float32) for i, (_, bias) in enumerate(layers)}
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def unpack(content: bytes) -> BlendshapeNetwork:
    """The network in a file that `pack` has written."""
    with np.load(io.BytesIO(content)) as data:
        count = len(data.files) // 2
        return BlendshapeNetwork(
            [Layer(data[f"weight_{i}"].astype(np.float32), data[f"bias_{i}"]) for i in range(count)]
        )
