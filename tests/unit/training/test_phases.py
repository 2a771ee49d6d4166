from dataclasses import replace

import pytest
import torch

from amesh.errors import UserError
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.cascade import Cascade
from amesh.nn.config import NAMED
from amesh.nn.mesh_only import MeshOnly
from amesh.nn.template import template_in_crop
from amesh.training.phases import PhaseConfig, completed, forward, labelled_regions

TINY = NAMED["tiny-128"]


def turned(angle: float = 0.3, scale: float = 1.2) -> torch.Tensor:
    points = template_in_crop(TINY).clone()
    angle = torch.tensor(angle)
    turn = scale * torch.stack(
        [torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])]
    )
    points[..., :2] = (points[..., :2] - 64) @ turn.T + torch.tensor([70.0, 60.0])
    return points


def test_few_labels_are_completed_by_the_mean_face_fitted_to_them():
    truth = turned()
    weight = torch.zeros(1, 478)
    weight[:, [33, 263, 61, 291, 1]] = 1
    given = torch.where(weight[..., None] > 0, truth, torch.nan)
    assert torch.allclose(completed(given, weight, TINY), truth[..., :2], atol=1e-3)


def test_without_labels_it_is_the_mean_face_in_a_well_cut_crop():
    nothing = completed(torch.full((1, 478, 3), torch.nan), torch.zeros(1, 478), TINY)
    assert torch.allclose(nothing, template_in_crop(TINY)[..., :2], atol=1e-3)


def test_a_region_counts_as_labelled_when_all_of_it_is():
    weight = torch.ones(2, 478)
    weight[1, TINY.load_topology().regions[0].indices[5]] = 0
    assert labelled_regions(weight, TINY).tolist() == [[1, 1, 1], [0, 1, 1]]


@pytest.mark.parametrize(("ideal", "switches"), [(0.0, 0), (0.25, 25), (1.0, 100)])
def test_the_phase_follows_the_step(ideal, switches):
    config = PhaseConfig(ideal=ideal)
    assert sum(config.is_ideal(step, 100) for step in range(100)) == switches


def test_a_share_above_one_is_refused():
    with pytest.raises(UserError, match=r"phases: ideal is 1\.5; a share"):
        PhaseConfig(ideal=1.5)


def test_ideal_crops_are_where_the_regions_look():
    net = AttentionMesh(TINY)
    thetas = net.normaliser(turned())
    output = forward(net, torch.rand(1, 3, 128, 128), thetas)
    assert torch.equal(output.thetas, thetas)


def test_a_regressing_network_looks_at_ideal_crops_and_answers_with_its_own():
    net = AttentionMesh(replace(TINY, crop_source="regressed"))
    image, thetas = torch.rand(1, 3, 128, 128), net.normaliser(turned())
    output = forward(net, image, thetas)
    told = net(image, thetas)
    assert torch.allclose(output.regions["lips"], told.regions["lips"])
    assert torch.allclose(output.landmarks, told.landmarks)
    assert torch.allclose(output.thetas, net(image).thetas)
    assert output.thetas.requires_grad


@pytest.mark.parametrize("build", [MeshOnly, Cascade])
def test_baselines_run_by_the_same_call(build):
    net = build(TINY)
    output = forward(net, torch.rand(1, 3, 128, 128), AttentionMesh(TINY).normaliser(turned()))
    assert output.landmarks.shape == (1, 478, 3)
