"""Loads the released Attention Mesh from Google's TFLite file into our network.

The only module that knows that file's names and structure. Tensors are followed from consumer to
consumer, so nothing depends on the order in which the file lists its operators. Unless every
constant is used exactly once and every parameter is filled, the file is rejected.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from amesh.errors import UserError
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.blocks import Convolution, DownBlock, PointHead, ResidualBlock
from amesh.nn.config import NAMED
from amesh.nn.region_submodel import RegionSubmodel
from amesh.weights.tflite_file import Operator, TfliteFile


def convert(file: TfliteFile, source: str = "tflite file") -> AttentionMesh:
    """Builds `released-192` with the weights of `face_landmark_with_attention.tflite`.

    Args:
        file: The parsed file.
        source: Name of the file in error messages.

    Raises:
        UserError: The file is another network.
    """
    net = AttentionMesh(NAMED["released-192"])
    try:
        _Loader(file).load(net)
    except (LookupError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{source}: not the released attention mesh ({error}); expected "
            "face_landmark_with_attention.tflite of mediapipe 0.10.21"
        ) from error
    return net.eval()


class _Loader:
    """Walks the file's graph along with the modules; positions are ids of the file's tensors."""

    def __init__(self, file: TfliteFile) -> None:
        self.file = file
        self.consumers: dict[int, list[Operator]] = defaultdict(list)
        for operator in file.operators:
            for tensor in operator.inputs:
                self.consumers[tensor].append(operator)
        self.used: set[int] = set()

    def load(self, net: AttentionMesh) -> None:
        [image] = self.file.inputs
        shared = self.chain(net.shared, image)
        features = self.head_features(net.mesh.head, self.chain(net.mesh.stages, shared))
        points, flag = self.followers(features, "CONV_2D")
        self.constants(points, net.mesh.head.points)
        self.constants(flag, net.mesh.face_flag)
        crops = [op.outputs[0] for op in self.followers(shared, "TransformTensorBilinear")]
        for module, crop in zip(net.regions.values(), crops, strict=True):
            assert isinstance(module, RegionSubmodel)
            split = self.chain(module.trunk, crop)
            for i, branch in enumerate(module.branches.children()):
                blocks, head = branch.blocks, branch.head
                assert isinstance(blocks, nn.Sequential)
                assert isinstance(head, PointHead)
                end = self.head_features(head, self.chain(blocks, split, branch=i))
                self.constants(self.follower(end, "CONV_2D"), head.points)
        self.check_complete(net)

    def chain(self, blocks: nn.Module, tensor: int, branch: int = 0) -> int:
        """Loads nested blocks in order; `branch` is the one to follow at the first fork."""
        for block in blocks.children():
            if isinstance(block, (ResidualBlock, DownBlock)):
                tensor = self.residual(block, tensor, branch)
            elif isinstance(block, Convolution):
                operator = self.follower(tensor, "CONV_2D")
                self.constants(operator, block.convolution)
                tensor = self.activation(operator.outputs[0], block.activation)
            else:
                tensor = self.chain(block, tensor, branch)
            branch = 0
        return tensor

    def residual(self, block: ResidualBlock | DownBlock, tensor: int, branch: int = 0) -> int:
        depthwise = self.followers(tensor, "DEPTHWISE_CONV_2D")[branch]
        self.constants(depthwise, block.depthwise)
        pointwise = self.follower(depthwise.outputs[0], "CONV_2D")
        self.constants(pointwise, block.pointwise)
        add = self.follower(pointwise.outputs[0], "ADD")
        return self.activation(add.outputs[0], block.activation)

    def head_features(self, head: PointHead, tensor: int) -> int:
        operator = self.follower(tensor, "CONV_2D")
        self.constants(operator, head.reduce)
        return self.residual(head.block, self.activation(operator.outputs[0], head.activation))

    def activation(self, tensor: int, module: nn.Module) -> int:
        operator = self.follower(tensor, "PRELU")
        self.constants(operator, module)
        return operator.outputs[0]

    def followers(self, tensor: int, name: str) -> list[Operator]:
        found = [op for op in self.consumers[tensor] if op.name == name]
        if not found:
            others = ", ".join(op.name for op in self.consumers[tensor]) or "nothing"
            raise LookupError(f"expected {name} after tensor {tensor}, found {others}")
        return found

    def follower(self, tensor: int, name: str) -> Operator:
        return self.followers(tensor, name)[0]

    def constants(self, operator: Operator, module: nn.Module) -> None:
        """Copies an operator's constants into a module, changing TFLite's layouts to PyTorch's."""
        if id(operator) in self.used:
            raise ValueError(f"{operator.name} of tensor {operator.outputs[0]} is used twice")
        self.used.add(id(operator))
        targets: Sequence[Tensor] = list(module.parameters())
        for target, constant in zip(targets, operator.constants, strict=True):
            value = torch.from_numpy(_layout(operator.name, constant))
            if value.shape != target.shape:
                raise ValueError(
                    f"{operator.name} of tensor {operator.outputs[0]} has shape "
                    f"{tuple(value.shape)}, expected {tuple(target.shape)}"
                )
            with torch.no_grad():
                target.copy_(value)

    def check_complete(self, net: nn.Module) -> None:
        carriers = self.file.named("CONV_2D", "DEPTHWISE_CONV_2D", "PRELU")
        missed = [op for op in carriers if id(op) not in self.used]
        loaded = sum(c.size for op in carriers for c in op.constants)
        expected = sum(p.numel() for p in net.parameters())
        if missed or loaded != expected:
            raise ValueError(
                f"{len(missed)} operators left over; {loaded} constants for {expected} parameters"
            )


def _layout(name: str, constant: np.ndarray) -> np.ndarray:
    if name == "CONV_2D" and constant.ndim == 4:
        constant = constant.transpose(0, 3, 1, 2)  # out h w in -> out in h w
    elif name == "DEPTHWISE_CONV_2D" and constant.ndim == 4:
        constant = constant.transpose(3, 0, 1, 2)  # 1 h w c -> c 1 h w
    elif name == "PRELU":
        constant = constant.reshape(-1)  # 1 1 c -> c
    return np.ascontiguousarray(constant)
