"""A plain mesh: one network predicts all landmarks at once, without regions or attention.

The structure of the landmark network in Google's Face Landmarker V2 (2023), the successor of the
released Attention Mesh: bottleneck blocks down to a 2 x 2 map, and one convolution over it.
"""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from amesh.nn.blocks import LAST, Convolution, in_own_precision, start
from amesh.nn.output import MeshOutput
from amesh.nn.plain_config import PLAIN_STRIDE, PlainConfig
from amesh.nn.template import start_at, template_in_crop


class Bottleneck(nn.Module):
    """1 x 1 to half the channels, PReLU, 3 x 3 depthwise, 1 x 1 back, add, PReLU.

    The depthwise convolution has no bias: the one after it would absorb it.
    """

    def __init__(self, width: int) -> None:
        """Builds a block of `width` channels, an even number."""
        super().__init__()
        inner = width // 2
        self.reduce = nn.Conv2d(width, inner, 1)
        self.inner_activation = nn.PReLU(inner)
        self.depthwise = nn.Conv2d(inner, inner, 3, padding=1, groups=inner, bias=False)
        self.pointwise = nn.Conv2d(inner, width, 1)
        self.activation = nn.PReLU(width)
        for convolution in (self.reduce, self.depthwise, self.pointwise):
            start(convolution)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Applies the block; the size stays the same."""
        inner = self.inner_activation(self.reduce(x))
        out: Tensor = self.activation(x + self.pointwise(self.depthwise(inner)))
        return out


class DownBottleneck(nn.Module):
    """Halves a map: a bottleneck whose first convolution is 2 x 2 with stride 2, and a max-pool.

    If the width grows, the pooled branch is padded with zero channels.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        """Builds a block from `inputs` to `outputs` channels; `outputs` may not be smaller."""
        super().__init__()
        if outputs < inputs:
            raise ValueError(f"a down block cannot narrow: {inputs} to {outputs} channels")
        inner = outputs // 2
        self.grow = outputs - inputs
        self.reduce = nn.Conv2d(inputs, inner, 2, stride=2)
        self.inner_activation = nn.PReLU(inner)
        self.depthwise = nn.Conv2d(inner, inner, 3, padding=1, groups=inner, bias=False)
        self.pointwise = nn.Conv2d(inner, outputs, 1)
        self.pool = nn.MaxPool2d(2)
        self.activation = nn.PReLU(outputs)
        for convolution in (self.reduce, self.depthwise, self.pointwise):
            start(convolution)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        """Halves height and width."""
        skip = self.pool(x)
        if self.grow:
            skip = F.pad(skip, (0, 0, 0, 0, 0, self.grow))  # b c h2 w2 -> b d h2 w2
        inner = self.inner_activation(self.reduce(x))
        out: Tensor = self.activation(skip + self.pointwise(self.depthwise(inner)))
        return out


class PlainMesh(nn.Module):
    """A stem, bottlenecks at each size, and a convolution over the last map.

    Examples:
        >>> import torch
        >>> net = PlainMesh(PlainConfig())
        >>> output = net(torch.rand(2, 3, 256, 256))
        >>> output.landmarks.shape, output.face_flag.shape, output.regions
        (torch.Size([2, 478, 3]), torch.Size([2]), {})
    """

    def __init__(self, config: PlainConfig) -> None:
        """Builds the network."""
        super().__init__()
        self.config = config
        first = config.widths[0]
        self.stem = Convolution(3, first)
        self.stages = nn.Sequential(*(Bottleneck(first) for _ in range(config.depth)))
        previous = first
        for width in config.widths[1:]:
            self.stages.append(DownBottleneck(previous, width))
            self.stages.extend(Bottleneck(width) for _ in range(config.depth))
            previous = width
        kernel = config.input_size // PLAIN_STRIDE
        self.points = nn.Conv2d(previous, 3 * config.load_topology().points, kernel)
        self.face_flag = nn.Conv2d(previous, 1, kernel)
        start(self.points, LAST)
        start(self.face_flag, LAST)
        start_at(self.points, template_in_crop(config))

    def forward(self, image: Float[Tensor, "b 3 s s"]) -> MeshOutput:
        """Predicts the landmarks of one face per picture, RGB in [0, 1]."""
        self.config.check_image(image.shape)
        features = self.stages(self.stem(image))
        numbers = in_own_precision(self.points, features).flatten(1)  # b 3n 1 1 -> b 3n
        points = numbers.unflatten(1, (-1, 3))
        flag = in_own_precision(self.face_flag, features).flatten()
        no_thetas = points.new_zeros(image.shape[0], 0, 2, 3)
        return MeshOutput(points, flag, points, {}, no_thetas)
