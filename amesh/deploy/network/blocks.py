"""Blocks in the form that ONNX Runtime runs fastest on a CPU.

Its fast kernels keep maps in blocks of channels. PReLU and channel padding have no such kernel, so
each would convert the map to the plain layout and back. Here the same functions are written with
operators that do.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from amesh.deploy.network.stacking import GroupedDownBlock
from amesh.nn.blocks import DownBlock
from amesh.nn.plain_mesh import DownBottleneck


class SplitPReLU(nn.Module):
    """PReLU as y + (1 - slope) relu(-y), with both factors as depthwise 1 x 1 convolutions.

    ONNX Runtime fuses the relu into the first and the sum into the second.
    """

    def __init__(self, slopes: Float[Tensor, " c"]) -> None:
        """Builds the module from one slope per channel."""
        super().__init__()
        self.channels = len(slopes)
        shape = (self.channels, 1, 1, 1)
        self.negate = nn.Parameter(-torch.ones(shape, dtype=slopes.dtype))
        self.scale = nn.Parameter((1 - slopes.detach()).reshape(shape))

    def forward(self, y: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Applies PReLU."""
        below = F.conv2d(y, self.negate, groups=self.channels).relu()
        return y + F.conv2d(below, self.scale, groups=self.channels)


class GrowingBottleneck(nn.Module):
    """A `DownBottleneck` whose channels grow: see `GroupedDownBlock`."""

    skip: Tensor

    def __init__(self, block: DownBottleneck) -> None:
        """Builds this form of a block."""
        super().__init__()
        self.reduce, self.inner_activation = block.reduce, block.inner_activation
        self.depthwise, self.pointwise = block.depthwise, block.pointwise
        self.pool, self.activation = block.pool, block.activation
        outputs = block.pointwise.out_channels
        ones = torch.eye(outputs, outputs - block.grow, dtype=block.pointwise.weight.dtype)
        self.register_buffer("skip", ones[..., None, None])

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        """Halves height and width."""
        skip = F.conv2d(self.pool(x), self.skip)
        inner = self.inner_activation(self.reduce(x))
        out: Tensor = self.activation(skip + self.pointwise(self.depthwise(inner)))
        return out


def rewrite(net: nn.Module, split_prelu: bool) -> None:
    """Replaces a network's blocks by their fast forms, in place.

    Args:
        net: The network to change.
        split_prelu: Also replace PReLU. Only ONNX Runtime's CPU kernels need this; other runtimes
            fuse PReLU into the convolution.
    """
    for kind in (DownBlock, DownBottleneck, nn.PReLU):  # the blocks first: they contain PReLUs
        for parent in list(net.modules()):
            for name, child in list(parent.named_children()):
                if not isinstance(child, kind):
                    continue
                if isinstance(child, DownBlock) and child.grow:
                    setattr(parent, name, GroupedDownBlock(child))
                if isinstance(child, DownBottleneck) and child.grow:
                    setattr(parent, name, GrowingBottleneck(child))
                if isinstance(child, nn.PReLU) and split_prelu:
                    setattr(parent, name, SplitPReLU(child.weight))
