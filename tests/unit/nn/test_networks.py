"""What all networks of the family have in common, and what tells them apart."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from amesh.errors import UserError
from amesh.nn.attention_mesh import AttentionMesh
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


def test_mesh_only_must_predict_the_irises():
    with pytest.raises(UserError, match="MeshOnly predicts all points"):
        MeshOnly(NAMED["released-192"])
