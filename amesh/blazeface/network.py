"""The two face detectors of the released pipeline: short range and full range.

Both are single-shot detectors of the BlazeFace family (arXiv 1907.05047) and share nothing but
their output: one box with six keypoints and one score for each anchor. What the numbers mean, and
how anchors and logits become faces, is `amesh.pipeline.decoding`.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from amesh.blazeface.config import BOX_VALUES, FULL, SHORT, DetectorConfig


class DetectorOutput(NamedTuple):
    """Raw output, in the released file's order of anchors.

    Attributes:
        boxes: Centre relative to the anchor, size, and six keypoints relative to the anchor
            [input px].
        scores: Logits.
    """

    boxes: Float[Tensor, "b anchors 16"]
    scores: Float[Tensor, "b anchors"]


class ShortRangeDetector(nn.Module):
    """896 anchors on a 128 x 128 picture: two at each cell of 8 px, six at each cell of 16 px."""

    STEM = 24
    FINE = (
        (24, 1),
        (28, 1),
        (32, 2),
        (36, 1),
        (42, 1),
        (48, 2),
        (56, 1),
        (64, 1),
        (72, 1),
        (80, 1),
        (88, 1),
    )
    COARSE = ((96, 2), (96, 1), (96, 1), (96, 1), (96, 1))  # (width, stride) of each block
    FINE_ANCHORS, COARSE_ANCHORS = 2, 6

    def __init__(self) -> None:
        super().__init__()
        self.config = SHORT
        self.stem = SameConv(3, self.STEM, 5, stride=2)
        self.fine = _blaze_blocks(self.STEM, self.FINE)
        fine_width, coarse_width = self.FINE[-1][0], self.COARSE[-1][0]
        self.coarse = _blaze_blocks(fine_width, self.COARSE)
        self.fine_scores = nn.Conv2d(fine_width, self.FINE_ANCHORS, 1)
        self.coarse_scores = nn.Conv2d(coarse_width, self.COARSE_ANCHORS, 1)
        self.fine_boxes = nn.Conv2d(fine_width, self.FINE_ANCHORS * BOX_VALUES, 1)
        self.coarse_boxes = nn.Conv2d(coarse_width, self.COARSE_ANCHORS * BOX_VALUES, 1)

    def forward(self, image: Float[Tensor, "b 3 128 128"]) -> DetectorOutput:
        """Detects in RGB pictures in [0, 1]."""
        fine = self.fine(functional.relu(self.stem(signed(image))))  # (b, 88, 16, 16)
        coarse = self.coarse(fine)  # (b, 96, 8, 8)
        scores = [_by_anchor(self.fine_scores(fine), 1), _by_anchor(self.coarse_scores(coarse), 1)]
        boxes = [
            _by_anchor(self.fine_boxes(fine), BOX_VALUES),
            _by_anchor(self.coarse_boxes(coarse), BOX_VALUES),
        ]
        return DetectorOutput(torch.cat(boxes, dim=1), torch.cat(scores, dim=1).squeeze(2))


def _blaze_blocks(channels: int, table: tuple[tuple[int, int], ...]) -> nn.Sequential:
    widths = [channels, *(width for width, _ in table)]
    return nn.Sequential(
        *(BlazeBlock(widths[i], width, stride) for i, (width, stride) in enumerate(table))
    )


def _by_anchor(x: Float[Tensor, "b c h w"], values: int) -> Float[Tensor, "b anchors values"]:
    """Anchors by row, by column, by channel group."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, values)


class FullRangeDetector(nn.Module):
    """2304 anchors on a 192 x 192 picture, one at each cell of 4 px.

    An encoder, and a decoder up to its 48 x 48 map.
    """

    STEM = 32
    ENCODER = (
        (32, 1, 2),
        (64, 2, 3),
        (128, 2, 3),
        (192, 2, 3),
        (384, 2, 4),
    )  # width, stride, blocks
    DECODER = ((96, 2), (64, 2), (48, 1))  # (width, blocks), at 12 x 12, 24 x 24, 48 x 48

    def __init__(self) -> None:
        super().__init__()
        self.config = FULL
        self.stem = nn.Conv2d(3, self.STEM, 3, stride=2, padding=1)
        self.encoder = nn.ModuleList()
        channels = self.STEM
        for width, stride, blocks in self.ENCODER:
            first = Bottleneck(channels, width // 4, width, stride)
            rest = (Bottleneck(width, width // 4, width) for _ in range(blocks - 1))
            self.encoder.append(nn.Sequential(first, *rest))
            channels = width
        self.laterals = nn.ModuleList()  # from shallow to deep, as they run
        self.decoder = nn.ModuleList()
        lateral_maps = list(reversed(self.ENCODER[1:-1]))
        for (width, blocks), (lateral, _, _) in zip(self.DECODER, lateral_maps, strict=True):
            self.laterals.insert(0, nn.Conv2d(lateral, width, 1))
            self.decoder.append(Merge(channels, width, blocks))
            channels = width
        self.scores = InterleavedHead(channels, 1)
        self.boxes = InterleavedHead(channels, BOX_VALUES)

    def forward(self, image: Float[Tensor, "b 3 192 192"]) -> DetectorOutput:
        """Detects in RGB pictures in [0, 1]."""
        x = functional.relu(self.stem(signed(image)))  # (b, 32, 96, 96)
        x = self.encoder[0](x)
        laterals = []
        for stage, narrow in zip(self.encoder[1:-1], self.laterals, strict=True):
            x = stage(x)
            laterals.append(functional.relu(narrow(x)))
        x = self.encoder[-1](x)  # (b, 384, 6, 6)
        for merge, lateral in zip(self.decoder, reversed(laterals), strict=True):
            x = merge(x, lateral)
        scores = self.scores(x).squeeze(2)  # x is (b, 48, 48, 48)
        return DetectorOutput(self.boxes(x), scores)


DetectorNetwork = ShortRangeDetector | FullRangeDetector


def build_detector(config: DetectorConfig) -> DetectorNetwork:
    """Makes the network that a config names, with random weights."""
    return ShortRangeDetector() if config.name == "short" else FullRangeDetector()


def signed(image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """Maps [0, 1], which all networks take, to the [-1, 1] that these were trained with."""
    return image * 2 - 1


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
