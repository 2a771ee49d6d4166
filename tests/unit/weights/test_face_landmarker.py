from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from amesh.errors import UserError
from amesh.nn.plain_config import PlainConfig
from amesh.nn.plain_mesh import Bottleneck, DownBottleneck, PlainMesh
from amesh.weights import face_landmarker
from amesh.weights.tflite_file import Operator, TfliteFile


class Writer:
    """Lists a network's operators as Google's file does."""

    def __init__(self) -> None:
        self.operators: list[Operator] = []

    def add(self, name: str, *inputs: int, constants: tuple[np.ndarray, ...] = ()) -> int:
        output = len(self.operators) + 1  # 0 is the picture
        self.operators.append(Operator(name, inputs, (output,), constants))
        return output

    def convolution(self, module: nn.Conv2d, x: int) -> int:
        weight = module.weight.detach().numpy()
        bias = np.zeros(len(weight), np.float32)
        if module.bias is not None:
            bias = module.bias.detach().numpy()
        if module.groups > 1:
            return self.add("DEPTHWISE_CONV_2D", x, constants=(weight.transpose(1, 2, 3, 0), bias))
        return self.add("CONV_2D", x, constants=(weight.transpose(0, 2, 3, 1), bias))

    def prelu(self, module: nn.PReLU, x: int) -> int:
        return self.add("PRELU", x, constants=(module.weight.detach().numpy()[None, None],))

    def write(self, net: PlainMesh) -> TfliteFile:
        x = self.prelu(net.stem.activation, self.convolution(net.stem.convolution, 0))
        for block in net.stages:
            assert isinstance(block, Bottleneck | DownBottleneck)
            inner = self.prelu(block.inner_activation, self.convolution(block.reduce, x))
            inner = self.convolution(block.pointwise, self.convolution(block.depthwise, inner))
            skip = self.add("MAX_POOL_2D", x) if isinstance(block, DownBottleneck) else x
            x = self.prelu(block.activation, self.add("ADD", skip, inner))
        score = self.convolution(net.face_flag, x)
        flag = self.convolution(net.face_flag, x)
        points = self.convolution(net.points, x)
        return TfliteFile(
            tuple(self.operators), (0,), (points, flag, self.add("LOGISTIC", score)), {}
        )


@pytest.fixture
def net() -> PlainMesh:
    """A network whose parameters all have different values, biases included."""
    net = PlainMesh(PlainConfig())
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.normal_()
    return net


def test_every_constant_finds_its_place(net: PlainMesh):
    converted = face_landmarker.convert(Writer().write(net))
    assert not converted.training
    for (name, found), expected in zip(converted.named_parameters(), net.parameters(), strict=True):
        assert torch.equal(found, expected), name


def _without_a_block(file: TfliteFile) -> TfliteFile:
    return replace(file, operators=file.operators[2:])


def _with_a_second_bias(file: TfliteFile) -> TfliteFile:
    position = next(i for i, op in enumerate(file.operators) if op.name == "DEPTHWISE_CONV_2D")
    operator = file.operators[position]
    kernel, bias = operator.constants
    operators = list(file.operators)
    operators[position] = replace(operator, constants=(kernel, bias + 1))
    return replace(file, operators=tuple(operators))


def _with_another_layer(file: TfliteFile) -> TfliteFile:
    layer = Operator("PRELU", (file.outputs[0],), (9000,), (np.ones((1, 1, 1434), np.float32),))
    return replace(file, operators=(*file.operators, layer))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_without_a_block, "expected CONV_2D after tensor 0"),
        (_with_a_second_bias, "longer than argument 1"),
        (_with_another_layer, "1 operators left over"),
    ],
)
def test_another_network_is_refused(
    net: PlainMesh, change: Callable[[TfliteFile], TfliteFile], message: str
):
    with pytest.raises(UserError, match=message):
        face_landmarker.convert(change(Writer().write(net)))
