"""The mobile blocks of the released network.

Convolutions pad like TensorFlow's SAME: a 3 x 3 convolution with stride 2 on an even size pads one
row at the bottom and one column on the right, and nothing at the top or left.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

# Initial gain of last convolutions: their biases dominate the first predictions.
LAST = 0.1


@torch.no_grad()
def start(convolution: nn.Conv2d, gain: float = 1.0) -> None:
    """Initialises weights so that variance across inputs is preserved.

    With PyTorch's default, only a seventieth of it reaches the heads, and random biases add the
    same offset for every picture, so training stalls for the first thousand steps. Here biases
    start at zero, and each output has the variance of its inputs.
    """
    inputs = convolution.weight[0].numel()
    nn.init.normal_(convolution.weight, 0.0, gain / math.sqrt(inputs))
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)


class Convolution(nn.Sequential):
    """The stem: a 3 x 3 convolution with stride 2, and PReLU."""

    def __init__(self, inputs: int, outputs: int, batch_norm: bool = False) -> None:
        """Builds the stem.

        Args:
            inputs: Input channels.
            outputs: Output channels.
            batch_norm: Whether a BatchNorm follows the convolution.
        """
        super().__init__()
        self.pad = nn.ZeroPad2d((0, 1, 0, 1))
        self.convolution = nn.Conv2d(inputs, outputs, 3, stride=2)
        self.norm = nn.BatchNorm2d(outputs) if batch_norm else nn.Identity()
        self.activation = nn.PReLU(outputs)
        start(self.convolution)


class ResidualBlock(nn.Module):
    """3 x 3 depthwise, 1 x 1, add, PReLU; nothing between the two convolutions."""

    def __init__(self, width: int, batch_norm: bool = False) -> None:
        """Builds a block of `width` channels."""
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.pointwise = nn.Conv2d(width, width, 1)
        self.norm = nn.BatchNorm2d(width) if batch_norm else nn.Identity()
        self.activation = nn.PReLU(width)
        start(self.depthwise)
        start(self.pointwise)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Applies the block; the size stays the same."""
        out: Tensor = self.activation(x + self.norm(self.pointwise(self.depthwise(x))))
        return out


class DownBlock(nn.Module):
    """Halves a map: a 3 x 3 depthwise with stride 2 and a 1 x 1, parallel to a 2 x 2 max-pool.

    If the width grows, the pooled branch is padded with zero channels.
    """

    def __init__(self, inputs: int, outputs: int, batch_norm: bool = False) -> None:
        """Builds a block from `inputs` to `outputs` channels; `outputs` may not be smaller."""
        super().__init__()
        if outputs < inputs:
            raise ValueError(f"a down block cannot narrow: {inputs} to {outputs} channels")
        self.grow = outputs - inputs
        self.pad = nn.ZeroPad2d((0, 1, 0, 1))
        self.depthwise = nn.Conv2d(inputs, inputs, 3, stride=2, groups=inputs)
        self.pointwise = nn.Conv2d(inputs, outputs, 1)
        self.norm = nn.BatchNorm2d(outputs) if batch_norm else nn.Identity()
        self.pool = nn.MaxPool2d(2)
        self.activation = nn.PReLU(outputs)
        start(self.depthwise)
        start(self.pointwise)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        """Halves height and width."""
        skip = self.pool(x)
        if self.grow:
            skip = F.pad(skip, (0, 0, 0, 0, 0, self.grow))  # b c h2 w2 -> b d h2 w2
        out: Tensor = self.activation(skip + self.norm(self.pointwise(self.depthwise(self.pad(x)))))
        return out


def residuals(width: int, depth: int, batch_norm: bool = False) -> nn.Sequential:
    """Returns a sequence of `depth` residual blocks."""
    return nn.Sequential(*(ResidualBlock(width, batch_norm) for _ in range(depth)))


class PointHead(nn.Module):
    """Predicts points from a small map: 1 x 1, PReLU, a residual block, a valid convolution.

    The last kernel covers the whole map, so every output sees all of it.
    """

    def __init__(
        self, inputs: int, width: int, kernel: int, points: int, batch_norm: bool = False
    ) -> None:
        """Builds a head.

        Args:
            inputs: Input channels.
            width: Channels before the last convolution.
            kernel: Side of the map and of the last kernel [px].
            points: Number of outputs.
            batch_norm: Whether the blocks use BatchNorm.
        """
        super().__init__()
        self.reduce = nn.Conv2d(inputs, width, 1)
        self.activation = nn.PReLU(width)
        self.block = ResidualBlock(width, batch_norm)
        self.points = nn.Conv2d(width, points, kernel)
        start(self.reduce)
        start(self.points, LAST)

    def features(self, x: Float[Tensor, "b c k k"]) -> Float[Tensor, "b d k k"]:
        """Returns the input of the last convolution."""
        out: Tensor = self.block(self.activation(self.reduce(x)))
        return out

    def forward(self, x: Float[Tensor, "b c k k"]) -> Float[Tensor, "b n"]:
        """Returns the outputs as a flat vector."""
        out: Tensor = in_own_precision(self.points, self.features(x)).flatten(1)  # b n 1 1 -> b n
        return out


def in_own_precision(convolution: nn.Conv2d, x: Tensor) -> Tensor:
    """Applies a convolution in the precision of its weights.

    The last convolutions stay in single precision even if the blocks run in half: rounding to half
    precision alone moves a coordinate near 256 px by up to 0.06 px.
    """
    out: Tensor = convolution(x.to(convolution.weight.dtype))
    return out
