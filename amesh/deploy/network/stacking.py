"""Merges networks of the same structure: stacked channels, grouped convolutions.

A runtime spends more time starting a small convolution than computing it. Five heads of the same
structure become one head with five groups: the same results from a fifth of the operators.
"""

import copy
from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from amesh.errors import UserError
from amesh.nn.blocks import Convolution, DownBlock, ResidualBlock
from amesh.nn.mesh_submodel import SharedFeatures

_BLOCKS = (nn.Sequential, SharedFeatures, Convolution, DownBlock, ResidualBlock)
_STATELESS = (nn.Identity, nn.ZeroPad2d, nn.MaxPool2d)


class GroupedDownBlock(nn.Module):
    """A `DownBlock` whose channels grow within each group.

    A convolution with ones and zeros moves the pooled channels to their places. This is exact, and
    cheaper than padding channels, because most runtimes keep channels in blocks.
    """

    skip: Tensor

    def __init__(self, block: DownBlock, groups: int = 1) -> None:
        """Builds the grouped form of a block.

        Args:
            block: A block whose convolutions are already grouped.
            groups: Number of groups of its channels.
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


def stack(modules: Sequence[nn.Module], name: str = "") -> nn.Module:
    """Merges modules of the same structure into one that works on stacked channels.

    Args:
        modules: Convolutions, PReLUs and blocks of these, with BatchNorm folded.
        name: Their position in the network, for error messages.

    Raises:
        UserError: The modules differ in more than their weights, or contain an unknown module.
    """
    first = modules[0]
    if any(type(module) is not type(first) for module in modules):
        kinds = ", ".join(type(module).__name__ for module in modules)
        raise _refusal(name, first, f"does not stack with {kinds}")
    if type(first) is nn.Conv2d:
        return _stack_convolutions(cast(Sequence[nn.Conv2d], modules), name)
    if type(first) is nn.PReLU:
        stacked = copy.deepcopy(first)
        stacked.weight = nn.Parameter(_cat(modules, "weight"))
        stacked.num_parameters = len(stacked.weight)
        return stacked
    if type(first) not in (*_BLOCKS, *_STATELESS):
        raise _refusal(name, first, "is of an unknown type")
    # What is copied from the first module must be valid for all of them.
    if any(own := [*dict(m.named_parameters(recurse=False)), *m._buffers] for m in modules):
        raise _refusal(name, first, f"has an unknown parameter or buffer {own[0]!r}")
    if any(module.extra_repr() != first.extra_repr() for module in modules):
        raise _refusal(name, first, "differs between the stacked modules")
    names = [list(dict(module.named_children())) for module in modules]
    if any(own != names[0] for own in names):
        raise _refusal(name, first, f"does not stack: it contains {names}")
    together = copy.deepcopy(first)
    for child in names[0]:
        parts = [module.get_submodule(child) for module in modules]
        setattr(together, child, stack(parts, f"{name}.{child}".lstrip(".")))
    if isinstance(together, DownBlock) and together.grow:
        return GroupedDownBlock(together, len(modules))
    return together


def _stack_convolutions(modules: Sequence[nn.Conv2d], name: str) -> nn.Conv2d:
    first = modules[0]
    # A convolution's repr has all but its weights: channels, kernel, padding, groups.
    if any(module.extra_repr() != first.extra_repr() for module in modules):
        shapes = ", ".join(f"Conv2d({module.extra_repr()})" for module in modules)
        raise _refusal(name, first, f"does not stack: {shapes}")
    stacked = copy.deepcopy(first)
    stacked.in_channels *= len(modules)
    stacked.out_channels *= len(modules)
    stacked.groups *= len(modules)
    stacked.weight = nn.Parameter(_cat(modules, "weight"))
    if stacked.bias is not None:
        stacked.bias = nn.Parameter(_cat(modules, "bias"))
    return stacked


def _cat(modules: Sequence[nn.Module], name: str) -> Tensor:
    return torch.cat([module.get_parameter(name).detach() for module in modules])


def _refusal(name: str, module: nn.Module, problem: str) -> UserError:
    where = f"module {name}" if name else "a module"
    return UserError(f"{where} ({type(module).__name__}) {problem}; it cannot be exported")
