"""Networks of one structure as one: their channels stacked, their convolutions grouped.

A small convolution costs a runtime more to start than to compute. Five heads of the same structure
become one head of five groups: the same numbers from a fifth of the operators.
"""

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from amesh.nn.blocks import DownBlock


class GroupedDownBlock(nn.Module):
    """A `DownBlock` whose channels grow within each group.

    A convolution with ones and zeros puts the pooled channels in their places: exact, and cheaper
    for a runtime than to pad channels, which most keep in blocks.
    """

    skip: Tensor

    def __init__(self, block: DownBlock, groups: int = 1) -> None:
        """Takes over a block.

        Args:
            block: Whose convolutions are grouped already.
            groups: Parts that its channels consist of.
        """
        super().__init__()
        self.pad, self.depthwise, self.pointwise = block.pad, block.depthwise, block.pointwise
        self.pool, self.activation, self.groups = block.pool, block.activation, groups
        outputs, inputs = block.pointwise.weight.shape[:2]
        one_group = torch.eye(outputs // groups, inputs, dtype=block.pointwise.weight.dtype)
        self.register_buffer("skip", one_group.repeat(groups, 1)[..., None, None])

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        """Halves height and width."""
        skip = F.conv2d(self.pool(x), self.skip, groups=self.groups)
        out: Tensor = self.activation(skip + self.pointwise(self.depthwise(self.pad(x))))
        return out


def stack(modules: Sequence[nn.Module]) -> nn.Module:
    """One module that computes several of the same structure, on stacked channels.

    Args:
        modules: Convolutions, PReLUs and blocks of these, BatchNorm folded.

    Raises:
        ValueError: The modules differ in more than their weights.
    """
    first = modules[0]
    if any(type(module) is not type(first) for module in modules):
        raise ValueError(f"cannot stack {[type(module).__name__ for module in modules]}")
    if isinstance(first, nn.Conv2d):
        return _stack_convolutions([m for m in modules if isinstance(m, nn.Conv2d)])
    if isinstance(first, nn.PReLU):
        stacked = copy.deepcopy(first)
        stacked.weight = nn.Parameter(_cat(modules, "weight"))
        stacked.num_parameters = len(stacked.weight)
        return stacked
    together = copy.deepcopy(first)
    for name, _ in first.named_children():
        setattr(together, name, stack([module.get_submodule(name) for module in modules]))
    if isinstance(together, DownBlock) and together.grow:
        return GroupedDownBlock(together, len(modules))
    return together


def _stack_convolutions(modules: Sequence[nn.Conv2d]) -> nn.Conv2d:
    if len({module.weight.shape for module in modules}) > 1:
        raise ValueError(f"cannot stack kernels {[tuple(m.weight.shape) for m in modules]}")
    stacked = copy.deepcopy(modules[0])
    stacked.in_channels *= len(modules)
    stacked.out_channels *= len(modules)
    stacked.groups *= len(modules)
    stacked.weight = nn.Parameter(_cat(modules, "weight"))
    if stacked.bias is not None:
        stacked.bias = nn.Parameter(_cat(modules, "bias"))
    return stacked


def _cat(modules: Sequence[nn.Module], name: str) -> Tensor:
    return torch.cat([module.get_parameter(name).detach() for module in modules])
