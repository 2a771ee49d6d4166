"""Loads the released face detectors from Google's TFLite files into our modules.

The files do not name their layers, so layers are paired in execution order, and each pair must
agree in kind, kernel and output. A file of another architecture is rejected with the first
difference.
"""

from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor, nn

from amesh.blazeface.config import FULL, SHORT, DetectorConfig
from amesh.blazeface.network import DetectorNetwork, build_detector
from amesh.errors import UserError
from amesh.weights.tflite_file import Operator, TfliteFile

_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")


@dataclass(frozen=True)
class _Layer:
    """The properties of a convolution that its counterpart must share."""

    kind: str
    kernel: tuple[int, ...]  # output channels, input channels per group, height, width
    output: tuple[int, ...]  # channels, height, width

    def __str__(self) -> str:
        return f"{self.kind} with kernel {self.kernel} to a map {self.output}"


def convert_detector(file: TfliteFile) -> DetectorNetwork:
    """Builds the detector that the file holds, in eval mode, with the file's weights.

    Args:
        file: `face_detection_short_range.tflite` or `face_detection_full_range_sparse.tflite`.

    Raises:
        UserError: The file is not one of these two networks; the message says what differs.
    """
    network = build_detector(_config_of(file))
    operators = file.named(*_CONVOLUTIONS)
    layers = _convolutions_in_order(network)
    for position, (operator, layer) in enumerate(zip_longest(operators, layers)):
        found = _layer_of_operator(operator, file) if operator else "nothing"
        expected = layer[1] if layer else "nothing"
        if found != expected:
            raise UserError(
                f"not the released {network.config.name}-range face detector: "
                f"convolution {position} should be {expected}, found {found}"
            )
    _check_constants(file, operators)
    state = {}
    for operator, (name, _) in zip(operators, layers, strict=True):
        kernel, bias = operator.constants
        state[f"{name}.weight"] = torch.from_numpy(_kernel_as_torch(operator.name, kernel))
        state[f"{name}.bias"] = torch.from_numpy(bias.copy())
    network.load_state_dict(state, strict=True)
    return network.eval()


def _config_of(file: TfliteFile) -> DetectorConfig:
    shapes = [file.shapes[i] for i in file.inputs]
    for config in (SHORT, FULL):
        if shapes == [(1, config.input_size, config.input_size, 3)]:
            return config
    raise UserError(
        f"not a released face detector: its inputs are {shapes}, "
        "expected [(1, 128, 128, 3)] (short range) or [(1, 192, 192, 3)] (full range)"
    )


def _convolutions_in_order(network: DetectorNetwork) -> list[tuple[str, _Layer]]:
    """Name and properties of every convolution, in the order of a forward pass."""
    layers: list[tuple[str, _Layer]] = []
    names = {module: name for name, module in network.named_modules()}

    def note(module: nn.Conv2d, _: Any, output: Tensor) -> None:
        kind = "DEPTHWISE_CONV_2D" if module.groups > 1 else "CONV_2D"
        layer = _Layer(kind, tuple(module.weight.shape), tuple(output.shape[1:]))
        layers.append((names[module], layer))

    hooks = [
        module.register_forward_hook(note)
        for module in network.modules()
        if isinstance(module, nn.Conv2d)
    ]
    with torch.no_grad():
        network(torch.zeros(1, 3, network.config.input_size, network.config.input_size))
    for hook in hooks:
        hook.remove()
    return layers


def _layer_of_operator(operator: Operator, file: TfliteFile) -> _Layer:
    _, height, width, channels = file.shapes[operator.outputs[0]]
    kernel = _kernel_as_torch(operator.name, operator.constants[0])
    return _Layer(operator.name, kernel.shape, (channels, height, width))


def _kernel_as_torch(kind: str, kernel: np.ndarray) -> Float32[np.ndarray, "o i h w"]:
    # TFLite keeps a kernel as (o, h, w, i), a depthwise one as (1, h, w, channels).
    order = (3, 0, 1, 2) if kind == "DEPTHWISE_CONV_2D" else (0, 3, 1, 2)
    return np.ascontiguousarray(kernel.transpose(order))


def _check_constants(file: TfliteFile, convolutions: list[Operator]) -> None:
    """Checks that every float constant of the file is a kernel or bias of one convolution."""
    for operator in file.operators:
        floats = [array for array in operator.constants if array.dtype == np.float32]
        expected = 2 if operator in convolutions else 0
        if len(floats) != expected:
            raise UserError(
                f"not a released face detector: {operator.name} with {len(floats)} constants, "
                f"expected {expected}"
            )
