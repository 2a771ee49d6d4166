"""Follows a TFLite file's graph and copies its constants into modules.

Files do not name their layers in any useful way. Tensors are followed from consumer to consumer, so
nothing depends on the order in which a file lists its operators.
"""

from collections import defaultdict

import numpy as np
import torch
from torch import nn

from amesh.weights.tflite_file import Operator, TfliteFile

_CARRIERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "PRELU")


class Walk:
    """A walk through a file's graph along with a network's modules.

    Positions are ids of the file's tensors. `check_complete` rejects a walk that left anything out.
    """

    def __init__(self, file: TfliteFile) -> None:
        """Starts a walk in which nothing has been used."""
        self.file = file
        self.consumers: dict[int, list[Operator]] = defaultdict(list)
        for operator in file.operators:
            for tensor in operator.inputs:
                self.consumers[tensor].append(operator)
        self.used: set[int] = set()
        self.filled = 0

    def followers(self, tensor: int, name: str) -> list[Operator]:
        """The operators of that name which read a tensor.

        Raises:
            LookupError: There are none.
        """
        found = [op for op in self.consumers[tensor] if op.name == name]
        if not found:
            others = ", ".join(op.name for op in self.consumers[tensor]) or "nothing"
            raise LookupError(f"expected {name} after tensor {tensor}, found {others}")
        return found

    def follower(self, tensor: int, name: str) -> Operator:
        """The first operator of that name which reads a tensor.

        Raises:
            LookupError: There is none.
        """
        return self.followers(tensor, name)[0]

    def convolution(self, tensor: int, module: nn.Conv2d) -> int:
        """Loads the convolution that reads a tensor; returns its output."""
        operator = self.follower(tensor, "CONV_2D" if module.groups == 1 else "DEPTHWISE_CONV_2D")
        self.constants(operator, module)
        return operator.outputs[0]

    def activation(self, tensor: int, module: nn.Module) -> int:
        """Loads the PReLU that reads a tensor; returns its output."""
        operator = self.follower(tensor, "PRELU")
        self.constants(operator, module)
        return operator.outputs[0]

    def constants(self, operator: Operator, module: nn.Module) -> None:
        """Copies an operator's constants into a module, changing TFLite's layouts to PyTorch's.

        A convolution without a bias takes an operator whose bias is zero.

        Raises:
            ValueError: The operator has been used already, or its constants do not fit.
        """
        self.leave_out(operator)
        where = f"{operator.name} of tensor {operator.outputs[0]}"
        constants = list(operator.constants)
        if isinstance(module, nn.Conv2d) and module.bias is None and not constants[-1].any():
            constants.pop()
        for target, constant in zip(module.parameters(), constants, strict=True):
            value = torch.from_numpy(_layout(operator.name, constant))
            if value.shape != target.shape:
                raise ValueError(
                    f"{where} has shape {tuple(value.shape)}, expected {tuple(target.shape)}"
                )
            with torch.no_grad():
                target.copy_(value)
            self.filled += value.numel()

    def leave_out(self, operator: Operator) -> None:
        """Marks an operator as used.

        Raises:
            ValueError: It is already.
        """
        if id(operator) in self.used:
            raise ValueError(f"{operator.name} of tensor {operator.outputs[0]} is used twice")
        self.used.add(id(operator))

    def check_complete(self, net: nn.Module) -> None:
        """Checks that all of the file's constants were used, and all parameters filled.

        Raises:
            ValueError: Something is left over.
        """
        missed = [op for op in self.file.named(*_CARRIERS) if id(op) not in self.used]
        expected = sum(p.numel() for p in net.parameters())
        if missed or self.filled != expected:
            raise ValueError(
                f"{len(missed)} operators left over; {self.filled} constants for "
                f"{expected} parameters"
            )


def _layout(name: str, constant: np.ndarray) -> np.ndarray:
    if name == "CONV_2D" and constant.ndim == 4:
        constant = constant.transpose(0, 3, 1, 2)  # out h w in -> out in h w
    elif name == "DEPTHWISE_CONV_2D" and constant.ndim == 4:
        constant = constant.transpose(3, 0, 1, 2)  # 1 h w c -> c 1 h w
    elif name == "PRELU":
        constant = constant.reshape(-1)  # 1 1 c -> c
    return np.ascontiguousarray(constant)
