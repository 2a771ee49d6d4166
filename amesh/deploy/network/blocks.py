"""Blocks as ONNX Runtime computes them fast on a CPU.

Its fast kernels keep maps in blocks of channels. PReLU and a padding of channels are not among
them: each would bring the map back to its plain layout and forth again. Here the same functions
are written as operators that are.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from amesh.deploy.network.stacking import GroupedDownBlock
from amesh.nn.blocks import DownBlock


class SplitPReLU(nn.Module):
    """PReLU as y + (1 - slope) relu(-y), both factors being depthwise 1 x 1 convolutions.

    ONNX Runtime takes the relu into the first and the sum into the second.
    """

    def __init__(self, slopes: Float[Tensor, " c"]) -> None:
        """Takes one slope per channel."""
        super().__init__()
        self.channels = len(slopes)
        shape = (self.channels, 1, 1, 1)
        self.negate = nn.Parameter(-torch.ones(shape, dtype=slopes.dtype))
        self.scale = nn.Parameter((1 - slopes.detach()).reshape(shape))

    def forward(self, y: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Bends the negative half."""
        below = F.conv2d(y, self.negate, groups=self.channels).relu()
        return y + F.conv2d(below, self.scale, groups=self.channels)


def rewrite(net: nn.Module, split_prelu: bool) -> None:
    """Puts the fast forms in the places of a network's blocks.

    Args:
        net: Is changed.
        split_prelu: Also where PReLU is an operator; other runtimes than ONNX Runtime's CPU fuse
            it into the convolution.
    """
    for kind in (DownBlock, nn.PReLU):  # the blocks first: they hold PReLUs
        for parent in list(net.modules()):
            for name, child in list(parent.named_children()):
                if not isinstance(child, kind):
                    continue
                if isinstance(child, DownBlock) and child.grow:
                    setattr(parent, name, GroupedDownBlock(child))
                if isinstance(child, nn.PReLU) and split_prelu:
                    setattr(parent, name, SplitPReLU(child.weight))
