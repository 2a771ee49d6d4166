"""What the two face detectors of `amesh.nn.detector` are made of.

BlazeFace blocks for the short range; bottlenecks, decoder steps and heads for the full range.
"""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


def pad_same(x: Float[Tensor, "b c h w"], kernel: int, stride: int) -> Float[Tensor, "b c h2 w2"]:
    """Zero padding of TensorFlow's SAME convolutions, on sizes that the stride divides.

    The odd pixel goes to the right and to the bottom: a 3 x 3 kernel with stride 2 pads (0, 1).
    """
    total = kernel - stride
    low, high = total // 2, total - total // 2
    return functional.pad(x, (low, high, low, high))


class SameConv(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding."""

    def forward(self, input: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        """Pads, then convolves."""
        return super().forward(pad_same(input, self.kernel_size[0], self.stride[0]))


class BlazeBlock(nn.Module):
    """Depthwise 3 x 3, pointwise, plus a shortcut: max-pooled, zero-padded in channels."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.added = width - channels
        self.depthwise = SameConv(channels, channels, 3, stride, groups=channels)
        self.pointwise = nn.Conv2d(channels, width, 1)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        """Refines a map, and halves it where the stride is 2."""
        shortcut = functional.max_pool2d(x, self.stride) if self.stride > 1 else x
        shortcut = functional.pad(shortcut, (0, 0, 0, 0, 0, self.added))  # (b, width, h2, w2)
        return functional.relu(shortcut + self.pointwise(self.depthwise(x)))


class Bottleneck(nn.Module):
    """Two depthwise-separable convolutions through a narrow middle.

    A shortcut goes round them where the shapes allow one.
    """

    def __init__(self, channels: int, middle: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.residual = stride == 1 and channels == width
        self.depthwise_in = nn.Conv2d(channels, channels, 3, stride, padding=1, groups=channels)
        self.reduce = nn.Conv2d(channels, middle, 1)
        self.depthwise = nn.Conv2d(middle, middle, 3, padding=1, groups=middle)
        self.expand = nn.Conv2d(middle, width, 1)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        """Refines a map, and halves it where the stride is 2."""
        narrow = functional.relu(self.reduce(self.depthwise_in(x)))
        wide = self.expand(self.depthwise(narrow))
        return functional.relu(x + wide if self.residual else wide)


class Merge(nn.Module):
    """One step up: the deep map, narrowed and doubled, plus the lateral map; then blocks."""

    def __init__(self, channels: int, width: int, blocks: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, width, 1)
        self.blocks = nn.Sequential(*(Bottleneck(width, width // 2, width) for _ in range(blocks)))

    def forward(
        self, deep: Float[Tensor, "b c h w"], lateral: Float[Tensor, "b d h2 w2"]
    ) -> Float[Tensor, "b d h2 w2"]:
        """Brings the deep map up to the lateral one."""
        deep = functional.relu(self.reduce(deep))
        deep = functional.interpolate(deep, scale_factor=2, mode="bilinear", align_corners=False)
        x: Tensor = self.blocks(lateral + deep)
        return x


class InterleavedHead(nn.Module):
    """Values at 48 x 48 cells, computed at 24 x 24: each place holds those of its 2 x 2 cells."""

    def __init__(self, channels: int, values: int) -> None:
        super().__init__()
        self.pointwise = nn.Conv2d(channels, 4 * values, 1)
        self.depthwise = nn.Conv2d(
            4 * values, 4 * values, 3, stride=2, padding=1, groups=4 * values
        )

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b anchors values"]:
        """Values of each cell, row by row."""
        x = self.depthwise(self.pointwise(x))
        # The cell's place is the outer part of the channel (DEPTH_TO_SPACE), unlike in
        # pixel_shuffle.
        x = x.unflatten(1, (2, 2, -1)).permute(0, 4, 1, 5, 2, 3)  # (b, h, 2, w, 2, values)
        return x.flatten(1, 4)
