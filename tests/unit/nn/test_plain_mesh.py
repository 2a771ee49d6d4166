from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from amesh.errors import UserError
from amesh.nn.plain_config import PlainConfig
from amesh.nn.plain_mesh import DownBottleneck, PlainMesh
from amesh.nn.template import template_in_crop

SMALL = PlainConfig("small", input_size=128, widths=(8, 8, 16, 16, 16, 16, 16), depth=1)


def pictures(count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, 3, 128, 128, generator=generator)


@pytest.fixture
def net() -> PlainMesh:
    torch.manual_seed(0)
    return PlainMesh(SMALL).eval()


def test_the_sizes_of_face_landmarker():
    net = PlainMesh(PlainConfig())
    assert sum(isinstance(module, nn.Conv2d) for module in net.modules()) == 71 + 34
    assert sum(p.numel() for p in net.parameters()) == 1_198_683
    assert net.points.kernel_size == (2, 2)


@pytest.mark.parametrize("topology", ["face478", "ibug68"])
def test_every_scheme(topology: str):
    config = replace(SMALL, topology=topology)
    output = PlainMesh(config).eval()(pictures(2))
    points = config.load_topology().points
    assert output.landmarks.shape == output.mesh.shape == (2, points, 3)
    assert output.face_flag.shape == (2,)
    assert output.regions == {}
    assert output.thetas.shape == (2, 0, 2, 3)


def test_a_fresh_network_shows_the_mean_face(net: PlainMesh):
    difference = net(pictures(2)).landmarks - template_in_crop(SMALL)
    assert difference[..., :2].abs().max() < 0.05 * SMALL.input_size


def test_a_batch_is_its_pictures(net: PlainMesh):
    images = pictures(3)
    together = net(images).landmarks
    alone = torch.cat([net(image[None]).landmarks for image in images])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


def test_every_weight_gets_a_gradient(net: PlainMesh):
    output = net.train()(pictures(2))
    (output.landmarks.square().mean() + output.face_flag.square().mean()).backward()
    weights = {n: p for n, p in net.named_parameters() if "activation" not in n}
    # A slope has no gradient where no input is negative.
    assert [n for n, p in weights.items() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("outputs", [4, 6])
def test_a_down_block_adds_to_the_pooled_map(outputs: int):
    block = DownBottleneck(4, outputs)
    nn.init.zeros_(block.pointwise.weight)
    image = torch.rand(1, 4, 8, 8)
    halved = block(image)
    assert halved.shape == (1, outputs, 4, 4)
    torch.testing.assert_close(halved[:, :4], F.max_pool2d(image, 2))
    assert not halved[:, 4:].any()


def test_a_down_block_that_narrows_is_refused():
    with pytest.raises(ValueError, match="cannot narrow: 8 to 4"):
        DownBottleneck(8, 4)


def test_crops_of_another_size_are_refused(net: PlainMesh):
    with pytest.raises(UserError, match="small takes images of shape"):
        net(torch.zeros(1, 3, 96, 96))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_size": 192}, "input_size 192 is not a multiple of 128"),
        ({"input_size": 1 << 20}, "input_size 1048576 is above"),
        ({"widths": (8, 8, 8, 8, 8, 8, 9)}, "width 9 is odd"),
        ({"widths": (9000,) * 7}, "at most 512 channels"),
        ({"widths": (16, 8, 8, 8, 8, 8, 8)}, "expected 7 that never decrease"),
        ({"depth": -1}, "depth -1; expected 0 to 16"),
        ({"topology": "dog"}, "no topology 'dog'"),
    ],
)
def test_a_config_that_cannot_be_built_is_refused(change: dict, message: str):
    with pytest.raises(UserError, match=message):
        replace(SMALL, **change)


def test_a_config_survives_json():
    assert PlainConfig.from_dict(SMALL.to_dict()) == SMALL
    with pytest.raises(UserError, match="unknown field 'regions'"):
        PlainConfig.from_dict({"regions": {}})
