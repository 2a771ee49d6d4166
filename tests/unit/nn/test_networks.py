from dataclasses import replace

import pytest
import torch
from torch import nn

from amesh.errors import UserError
from amesh.nn.assembly import Assembly
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.blocks import DownBlock, ResidualBlock
from amesh.nn.cascade import Cascade
from amesh.nn.config import NAMED, MeshConfig, RegionConfig
from amesh.nn.mesh_only import MeshOnly
from amesh.nn.template import template_in_crop

TINY = NAMED["tiny-128"]
NETWORKS = [AttentionMesh, MeshOnly, Cascade]


def pictures(config: MeshConfig, count: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, 3, config.input_size, config.input_size, generator=generator)


def build(kind: type[nn.Module], config: MeshConfig) -> nn.Module:
    torch.manual_seed(0)
    return kind(config).eval()


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("topology", ["face478", "ibug68"])
def test_every_network_builds_from_every_scheme(kind: type[nn.Module], topology: str):
    config = replace(TINY, topology=topology)
    output = build(kind, config)(pictures(config))
    scheme = config.load_topology()
    assert output.landmarks.shape == (2, scheme.points, 3)
    assert output.face_flag.shape == (2,)
    expected = {} if kind is MeshOnly else scheme.outputs
    assert {name: len(points[0]) for name, points in output.regions.items()} == {
        name: len(points) for name, points in expected.items()
    }
    assert output.thetas.shape[1] == (0 if kind is MeshOnly else len(scheme.regions))


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_fresh_network_shows_the_mean_face(kind: type[nn.Module]):
    expected = template_in_crop(TINY)
    landmarks = build(kind, TINY)(pictures(TINY)).landmarks
    assert (landmarks - expected)[..., :2].abs().max() < 0.05 * TINY.input_size
    assert expected[..., :2].min() > 0
    assert expected[..., :2].max() < TINY.input_size


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_batch_is_its_pictures(kind: type[nn.Module]):
    net, images = build(kind, TINY), pictures(TINY, 3)
    together = net(images).landmarks
    alone = torch.cat([net(image[None]).landmarks for image in images])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 3, 96, 96), (1, 1, 128, 128), (3, 128, 128)])
def test_a_crop_of_another_shape_is_refused(shape: tuple[int, ...]):
    with pytest.raises(UserError, match=r"tiny-128 takes .*\(b, 3, 128, 128\), found"):
        NAMED["tiny-128"].check_image(shape)
    NAMED["tiny-128"].check_image((7, 3, 128, 128))


def test_every_network_checks_its_crops_outside_of_tests_too(run_python):
    printed = run_python("""
import torch
from amesh import AttentionMesh, UserError
from amesh.nn.cascade import Cascade
from amesh.nn.config import NAMED
from amesh.nn.mesh_only import MeshOnly
for kind in (AttentionMesh, MeshOnly, Cascade):
    try:
        kind(NAMED["tiny-128"])(torch.zeros(1, 3, 96, 96))
    except UserError as error:
        print(error)
""")
    assert printed.count("found (1, 3, 96, 96)") == 3


@pytest.mark.parametrize("kind", [AttentionMesh, Cascade])
def test_gather_is_affine_by_other_operators(kind: type[nn.Module]):
    images = pictures(TINY)
    one = build(kind, TINY)
    other = kind(replace(TINY, sampler="gather")).eval()
    other.load_state_dict(one.state_dict())
    torch.testing.assert_close(one(images).landmarks, other(images).landmarks, rtol=1e-4, atol=1e-3)


def test_gaussian_attention_has_a_width_to_learn():
    net = build(AttentionMesh, replace(TINY, sampler="gaussian"))
    net(pictures(TINY)).landmarks.sum().backward()
    for region in TINY.load_topology().regions:
        gradient = net.attention[region.name].log_sigma.grad
        assert gradient is not None
        assert gradient.isfinite()
        assert gradient != 0


def test_ideal_crops_are_the_callers():
    net, images = build(AttentionMesh, TINY), pictures(TINY)
    ideal = net.normaliser(template_in_crop(TINY)).expand(2, -1, -1, -1)
    output = net(images, ideal)
    assert torch.equal(output.thetas, ideal)
    assert torch.equal(output.mesh, net(images).mesh)
    assert not torch.equal(output.regions["lips"], net(images).regions["lips"])


def test_regressed_thetas_start_at_the_mean_face_and_learn():
    config = replace(TINY, crop_source="regressed")
    net = build(AttentionMesh, config)
    with torch.no_grad():
        net.theta.weight.zero_()
    output = net(pictures(config))
    expected = net.normaliser(template_in_crop(config)).expand(2, -1, -1, -1)
    torch.testing.assert_close(output.thetas, expected)
    output.regions["lips"].sum().backward()
    assert net.theta.bias.grad.abs().sum() > 0


@pytest.mark.parametrize("detached", [False, True])
def test_the_regions_move_the_mesh_through_theta_unless_told_not_to(detached: bool):
    net = build(AttentionMesh, replace(TINY, detach_theta=detached))
    net(pictures(TINY)).regions["lips"].sum().backward()
    gradient = net.mesh.head.points.weight.grad
    assert (gradient is None or not gradient.any()) == detached


def test_the_networks_of_the_cascade_are_independent():
    net = build(Cascade, TINY)
    net(pictures(TINY)).regions["lips"].sum().backward()
    assert net.mesh.head.points.weight.grad is None
    assert net.regions["lips"].shared.stem.convolution.weight.grad.any()
    assert net.regions["left_eye"].shared.stem.convolution.weight.grad is None


def test_a_region_has_a_capacity_of_its_own():
    small = RegionConfig(widths=(16, 32, 32), depth=1, head_width=8)
    net = AttentionMesh(replace(TINY, regions={"lips": small}))
    sizes = {name: sum(p.numel() for p in m.parameters()) for name, m in net.regions.items()}
    assert sizes["lips"] < sizes["left_eye"] / 4
    assert sizes["left_eye"] == sizes["right_eye"]


@pytest.mark.parametrize("mesh_irises", [True, False])
def test_assembly_puts_every_prediction_at_its_landmark(mesh_irises: bool):
    config = replace(TINY, mesh_irises=mesh_irises)
    scheme, rows = config.load_topology(), config.mesh_indices
    assert len(rows) == (478 if mesh_irises else 468)
    mesh = torch.tensor(rows)[None, :, None] + torch.tensor([0.0, 0.1, 0.2])  # b m 3
    regions = {}
    for region in scheme.regions:
        for part in (region, region.iris) if region.iris else (region,):
            marked = 1000.0 + torch.tensor(part.indices)
            regions[part.name] = marked[None, :, None].expand(1, -1, 2)
    landmarks = Assembly(config)(mesh, regions)[0]
    refined = {i for r in scheme.regions for i in (*r.indices, *(r.iris.indices if r.iris else ()))}
    for i in range(478):
        expected = [1000.0 + i] * 2 if i in refined else [i, i + 0.1]
        assert landmarks[i, :2].tolist() == pytest.approx(expected)
        if i < 468 or mesh_irises:
            assert landmarks[i, 2].item() == pytest.approx(i + 0.2)
    if not mesh_irises:
        for iris in scheme.irises:
            mean = sum(iris.z_from) / 16 + 0.2
            assert landmarks[list(iris.indices), 2].tolist() == pytest.approx([mean] * 5, abs=1e-3)


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_size": 200}, "input_size 200 is not a multiple of 64"),
        ({"input_size": 0}, "input_size 0 is not a multiple of 64"),
        ({"crop_size": 20}, "crop_size 20 is not a multiple of 8"),
        ({"crop_size": 40}, "crop_size 40 exceeds the shared map's 32"),
        ({"regions": {"nose": RegionConfig()}}, "region 'nose' is not in topology face478"),
        ({"topology": "dog"}, "no topology 'dog'"),
        ({"depth": -3}, "depth -3"),
        ({"widths": (32, 16, 16, 16, 16, 16)}, "never shrink"),
        ({"regions": {"lips": RegionConfig(widths=(8, 8, 8))}}, "lips: widths .* never shrink"),
    ],
)
def test_a_config_that_cannot_be_built_is_refused(change: dict, message: str):
    with pytest.raises(UserError, match=message):
        replace(TINY, **change)


def test_a_misspelt_choice_is_refused_outside_of_tests_too(run_python):
    run_python("""
from amesh.errors import UserError
from amesh.nn.config import MeshConfig
for field, value, message in (
    ("sampler", "magic", "sampler 'magic' is none of affine, gather, gaussian"),
    ("theta_rule", "zzz", "theta_rule 'zzz' is none of box, corners"),
    ("crop_source", "oops", "crop_source 'oops' is none of predicted, regressed"),
    ("widths", (8, 16), "widths [8, 16] are not 6 that never shrink"),
):
    try:
        MeshConfig(**{field: value})
    except UserError as error:
        assert message in str(error), error
    else:
        raise AssertionError(field)
""")


def test_a_config_survives_json():
    config = replace(TINY, regions={"lips": RegionConfig(depth=3)}, theta_rule="corners")
    assert MeshConfig.from_dict(config.to_dict()) == config
    with pytest.raises(UserError, match=r"network config: .*'colour'"):
        MeshConfig.from_dict({"colour": 3})


def test_mesh_only_must_predict_the_irises():
    with pytest.raises(UserError, match="MeshOnly predicts all points"):
        MeshOnly(NAMED["released-192"])
