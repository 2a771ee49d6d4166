"""Reads Google's blendshape network out of its TFLite file."""

from functools import cache

import numpy as np

from amesh.effects.released_blendshapes import Block, Layer, ReleasedBlendshapes
from amesh.errors import UserError
from amesh.weights import install, tflite_file

_NAME = "face-blendshapes"
_BLOCKS = 4


@cache
def read_network() -> ReleasedBlendshapes:
    """Google's blendshape network, from the imported bundle.

    Raises:
        UserError: It has not been imported, or its file is damaged.
    """
    return convert(install.read_original(_NAME))


def convert(content: bytes) -> ReleasedBlendshapes:
    """Builds the network from the content of `face_blendshapes.tflite`.

    Raises:
        UserError: It is another file.
    """
    file = tflite_file.read(content, "face_blendshapes.tflite")
    # Every dense layer of the file is a convolution, (out, 1, 1, in).
    layers = [
        Layer(np.ascontiguousarray(weight[:, 0, 0].T), bias)
        for weight, bias in (one.constants for one in file.named("CONV_2D"))
    ]
    # What else is multiplied by a constant is the landmarks, by a number.
    scales = [one.constants[0] for one in file.named("MUL") if one.constants]
    scales = [scale for scale in scales if scale.ndim]
    learnt = [token for one in file.named("CONCATENATION") for token in one.constants]
    counts = (len(layers), len(scales), len(learnt))
    if counts != (3 + 4 * _BLOCKS, 2 * _BLOCKS, 1):
        raise UserError(f"not Google's blendshape network: layers, norms and tokens are {counts}")
    first, second, *mixing, last = layers
    blocks = [
        Block(
            scales[2 * i],
            (mixing[4 * i], mixing[4 * i + 1]),
            scales[2 * i + 1],
            (mixing[4 * i + 2], mixing[4 * i + 3]),
        )
        for i in range(_BLOCKS)
    ]
    return ReleasedBlendshapes(first, second, learnt[0].reshape(1, -1), blocks, last)
