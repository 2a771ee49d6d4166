import torch

from amesh.deploy.network.blocks import GrowingBottleneck, rewrite
from amesh.nn.plain_mesh import DownBottleneck


def test_a_bottleneck_that_grows_says_the_same_in_its_fast_form():
    block = torch.nn.Sequential(DownBottleneck(4, 4), DownBottleneck(4, 10)).eval()
    image = torch.randn(2, 4, 12, 12)
    expected = block(image)
    rewrite(block, split_prelu=False)
    assert [type(part) for part in block] == [DownBottleneck, GrowingBottleneck]
    torch.testing.assert_close(block(image), expected)
