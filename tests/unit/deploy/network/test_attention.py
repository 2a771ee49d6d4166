import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from amesh.deploy.network.attention import JointAttention, JointThetas, can_join, gather_jointly
from amesh.deploy.network.blocks import SplitPReLU, rewrite
from amesh.deploy.network.prepare import prepare
from amesh.deploy.network.regions import JointMesh
from amesh.deploy.network.stacking import GroupedDownBlock, stack
from amesh.errors import UserError
from amesh.geometry import sampling
from amesh.nn.blocks import DownBlock, residuals

spec = importlib.util.spec_from_file_location(
    "small_networks", Path(__file__).parents[1] / "small_networks.py"
)
assert spec is not None
assert spec.loader is not None
small = importlib.util.module_from_spec(spec)
spec.loader.exec_module(small)


@pytest.fixture(scope="module")
def nets() -> dict[str, nn.Module]:
    return small.networks()


def worst(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).detach().abs().max())


def turned(angle: float, scale: float, x: float, y: float) -> list[list[float]]:
    c, s = scale * math.cos(angle), scale * math.sin(angle)
    return [[c, -s, x], [s, c, y]]


@pytest.mark.parametrize("channels", [3, 16], ids=["planes", "rows"])
def test_one_read_gives_what_single_reads_give(channels: int):
    features = torch.randn(2, channels, 12, 12)
    thetas = torch.tensor(
        [
            [turned(0.0, 0.5, 0.1, -0.2), turned(0.6, 0.4, -0.3, 0.2)],
            [
                turned(2.0, 1.3, 0.0, 0.0),
                turned(-1.0, 0.2, 3.0, 0.0),
            ],  # over the border, and beyond
        ]
    )
    crops = gather_jointly(features, thetas, 8).unflatten(1, (2, channels))
    for i in range(2):
        single = sampling.gather(features, thetas[:, i], 8)
        assert worst(crops[:, i], single) < 1e-5
        assert torch.equal(crops[:, i] == 0, single == 0)
    assert not crops[1, 1].any(), "a crop beyond the map is black"


def test_thetas_of_all_regions_are_those_of_each(nets: dict[str, nn.Module]):
    net = nets["released"]
    landmarks = torch.rand(3, 478, 3) * 64
    mesh = landmarks[:, list(net.config.mesh_indices)]
    expected = net.normaliser(net.assembly.spread(mesh))
    assert worst(JointThetas(net.config)(mesh), expected) < 1e-5


@pytest.mark.parametrize("name", ["paper", "released", "normed", "cascade"])
def test_joined_regions_predict_what_single_ones_predict(nets: dict[str, nn.Module], name: str):
    net = nets[name]
    image = torch.rand(3, 3, 64, 64)
    joint = JointAttention(prepare(net))
    with torch.inference_mode():
        expected = net(image)
        landmarks, flag, *errors = joint(image)
        assert worst(landmarks, expected.landmarks) < 1e-3
        assert worst(flag, expected.face_flag) < 1e-4
        assert len(errors) == net.config.predicts_errors
        assert all(worst(found, expected.expected_error) < 1e-4 for found in errors)
        rewrite(joint, split_prelu=True)
        assert worst(joint(image)[0], expected.landmarks) < 1e-3


def test_what_can_be_joined(nets: dict[str, nn.Module]):
    joined = {name for name, net in nets.items() if can_join(net)}
    assert joined == {"paper", "released", "normed", "cascade"}


def test_mesh_as_one_product(nets: dict[str, nn.Module]):
    net = nets["paper"]
    shared = torch.rand(2, 16, 16, 16)
    expected = net.mesh(shared)
    points, flag = JointMesh(net.mesh)(shared)
    assert worst(points, expected.points) < 1e-4
    assert worst(flag, expected.face_flag) < 1e-5


def test_prelu_from_two_convolutions_is_prelu():
    slopes = torch.tensor([-1.5, 0.0, 0.3, 1.0, 6.2])
    y = torch.randn(2, 5, 4, 4)
    expected = nn.functional.prelu(y, slopes)
    assert worst(SplitPReLU(slopes)(y), expected) < 1e-6


def test_stacked_blocks_are_the_blocks_side_by_side():
    blocks = [nn.Sequential(residuals(4, 2), DownBlock(4, 6), nn.PReLU(6)) for _ in range(3)]
    for block in blocks:
        small.shake(block)
    x = torch.randn(2, 12, 8, 8)
    expected = torch.cat([b(part) for b, part in zip(blocks, x.chunk(3, 1), strict=True)], dim=1)
    stacked = stack(blocks)
    assert isinstance(stacked[1], GroupedDownBlock)
    assert worst(stacked(x), expected) < 1e-5


def test_convolutions_that_differ_do_not_stack():
    with pytest.raises(UserError, match="does not stack: Conv2d"):
        stack([nn.Conv2d(2, 3, 1), nn.Conv2d(2, 4, 1)])
    with pytest.raises(UserError, match=r"does not stack: .*dilation=\(2, 2\)"):
        stack([nn.Conv2d(2, 3, 3), nn.Conv2d(2, 3, 3, dilation=2)])
    with pytest.raises(UserError, match="does not stack with Conv2d, PReLU"):
        stack([nn.Conv2d(2, 3, 1), nn.PReLU()])
    with pytest.raises(UserError, match=r"module 0 \(MaxPool2d\) differs"):
        stack([nn.Sequential(nn.MaxPool2d(2)), nn.Sequential(nn.MaxPool2d(4))])
    with pytest.raises(UserError, match=r"does not stack: it contains"):
        stack([nn.Sequential(nn.PReLU()), nn.Sequential(nn.PReLU(), nn.PReLU())])


@pytest.mark.parametrize(
    "module",
    [
        nn.Hardswish(),
        nn.LeakyReLU(),
        nn.BatchNorm2d(4),
        nn.Dropout(),
        nn.Linear(4, 4),
        small.Wave(),
    ],
    ids=lambda module: type(module).__name__,
)
def test_unknown_modules_do_not_stack(module: nn.Module):
    kind = type(module).__name__
    with pytest.raises(UserError, match=rf"module 0\.norm \({kind}\) is of an unknown type"):
        stack([nn.Sequential(with_norm(module)) for _ in range(2)])


def test_parameters_of_the_first_module_are_not_taken_for_all():
    blocks = residuals(4, 2)
    for block in blocks:
        block.scale = nn.Parameter(torch.ones(1))
    with pytest.raises(UserError, match="unknown parameter or buffer 'scale'"):
        stack(list(blocks))


def with_norm(module: nn.Module) -> nn.Module:
    [block] = residuals(4, 1)
    block.norm = module
    return block


def test_growing_without_padding_is_exact():
    block = DownBlock(4, 7)
    x = torch.randn(1, 4, 6, 6)
    np.testing.assert_allclose(GroupedDownBlock(block)(x).detach(), block(x).detach(), atol=1e-6)
