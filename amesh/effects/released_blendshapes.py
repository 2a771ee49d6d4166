"""Google's blendshape network, the one in Face Landmarker's bundle, in NumPy.

An MLP-Mixer (Tolstikhin et al., 2021, arXiv:2105.01601) over 146 landmarks: a layer mixes them into
96 tokens of 64 channels, to which one learnt token is added; four blocks mix tokens and channels;
the learnt token then gives the values.

NumPy runs it on whole batches, and without LiteRT. `amesh.weights.released_blendshapes` reads it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

# The landmarks that it takes, from MediaPipe's face_blendshapes_graph.cc.
LANDMARKS = (
    *(0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65),
    *(66, 67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136),
    *(144, 145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168),
    *(172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270, 276),
    *(282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318),
    *(321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380),
    *(381, 382, 384, 385, 386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466),
    *(468, 469, 470, 471, 472, 473, 474, 475, 476, 477),
)
_SCALE = 0.5  # of the landmarks, whose mean distance from their middle is 1 before
_EPSILON = 1.0132789611816406e-06  # of layer norms, as the file has it


@dataclass(frozen=True, eq=False)
class Layer:
    """A dense layer.

    Attributes:
        weight: (in, out).
        bias: (out,).
    """

    weight: Float32[np.ndarray, "i o"]
    bias: Float32[np.ndarray, " o"]

    def __call__(self, x: Float32[np.ndarray, "*b i"]) -> Float32[np.ndarray, "*b o"]:
        """Mixes the last axis."""
        return np.asarray(x @ self.weight + self.bias)


@dataclass(frozen=True, eq=False)
class Block:
    """A block of the mixer: tokens, then channels; each with a layer norm before and a sum after.

    Attributes:
        token_scale: Scale of the first layer norm; neither has an offset.
        tokens: Two layers over the tokens.
        channel_scale: Scale of the second layer norm.
        channels: Two layers over the channels.
    """

    token_scale: Float32[np.ndarray, " c"]
    tokens: tuple[Layer, Layer]
    channel_scale: Float32[np.ndarray, " c"]
    channels: tuple[Layer, Layer]

    def __call__(self, x: Float32[np.ndarray, "b t c"]) -> Float32[np.ndarray, "b t c"]:
        """Runs the block."""
        mixed = _two_layers(self.tokens, _normalised(x, self.token_scale).swapaxes(1, 2))
        x = x + mixed.swapaxes(1, 2)
        return np.asarray(x + _two_layers(self.channels, _normalised(x, self.channel_scale)))


@dataclass(frozen=True, eq=False)
class ReleasedBlendshapes:
    """The network.

    Attributes:
        to_tokens: From landmarks to tokens.
        to_channels: From x and y to channels.
        learnt: The learnt token.
        blocks: Those of the mixer.
        to_values: From the learnt token to the values.
    """

    to_tokens: Layer
    to_channels: Layer
    learnt: Float32[np.ndarray, "1 c"]
    blocks: Sequence[Block]
    to_values: Layer

    def __call__(self, landmarks: Float[np.ndarray, "b 478 d"]) -> Float32[np.ndarray, "b 51"]:
        """Runs the network.

        Args:
            landmarks: [image px]; z is not used.

        Returns:
            Values from 0 to 1, those of the names in `amesh.effects.blendshapes` in order, up to
            noseSneerRight. What the file calls `_neutral` means nothing and is left out.
        """
        points = landmarks[:, LANDMARKS, :2]
        points = points - points.mean(axis=1, keepdims=True)
        radius = np.linalg.norm(points, axis=2).mean(axis=1)[:, None, None]
        with np.errstate(invalid="ignore", divide="ignore"):  # coincident points give NaN
            points = (_SCALE * points / radius).astype(np.float32)
        tokens = self.to_channels(self.to_tokens(points.swapaxes(1, 2)).swapaxes(1, 2))
        learnt = np.broadcast_to(self.learnt, (len(tokens), *self.learnt.shape))
        x = np.concatenate([learnt, tokens], axis=1)
        for block in self.blocks:
            x = block(x)
        return sigmoid(self.to_values(x[:, 0])[:, 1:])


def sigmoid(x: Float32[np.ndarray, "*b"]) -> Float32[np.ndarray, "*b"]:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * x))


def _two_layers(
    layers: tuple[Layer, Layer], x: Float32[np.ndarray, "b i c"]
) -> Float32[np.ndarray, "b i c"]:
    return layers[1](np.maximum(layers[0](x), 0))


def _normalised(
    x: Float32[np.ndarray, "b t c"], scale: Float32[np.ndarray, " c"]
) -> Float32[np.ndarray, "b t c"]:
    spread = np.sqrt(x.var(axis=2, keepdims=True) + np.float32(_EPSILON))
    return np.asarray((x - x.mean(axis=2, keepdims=True)) / spread * scale)
