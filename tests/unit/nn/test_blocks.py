import pytest
import torch
from torch import nn

from amesh.nn.blocks import DownBlock, ResidualBlock


def test_a_stride_two_block_pads_below_and_to_the_right_only():
    block = DownBlock(1, 2)
    for p in block.parameters():
        nn.init.ones_(p)
    with torch.no_grad():
        block.depthwise.bias.zero_()
        block.pointwise.bias.zero_()
    corner = torch.zeros(1, 1, 4, 4)
    corner[..., 0, 0] = 1.0
    # (0, 0) is seen by the first window only, as its first tap: nothing is padded above it.
    assert block.depthwise(block.pad(corner)).flatten().tolist() == [1.0, 0.0, 0.0, 0.0]
    last = corner.flip(-1, -2)
    assert block.depthwise(block.pad(last)).flatten().tolist() == [0.0, 0.0, 0.0, 1.0]
    # The pooled branch: channel 0 gets the maximum on top of the convolution, channel 1 zeros.
    assert block(corner)[0, :, 0, 0].tolist() == [2.0, 1.0]


def test_a_down_block_cannot_narrow():
    with pytest.raises(ValueError, match="cannot narrow: 8 to 4 channels"):
        DownBlock(8, 4)


def test_nothing_is_between_the_convolutions_of_a_residual_block():
    block = ResidualBlock(3)
    x = torch.randn(1, 3, 5, 5)
    expected = block.activation(x + block.pointwise(block.depthwise(x)))
    torch.testing.assert_close(block(x), expected, rtol=0, atol=0)
    assert isinstance(ResidualBlock(3, batch_norm=True).norm, nn.BatchNorm2d)
