import pytest
import torch

from amesh.data.loading.sample import Batch
from amesh.losses.config import LossConfig
from amesh.losses.errors import normalised_errors
from amesh.losses.reduction import Weighted, combined, means
from amesh.losses.terms import batch_terms, sizes
from amesh.nn.config import NAMED
from amesh.nn.output import MeshOutput
from amesh.nn.template import template_in_crop

TINY = NAMED["tiny-128"]


def faces(shift: float = 0.0) -> tuple[MeshOutput, Batch]:
    """Two mean faces and one picture without; predictions `shift` px to the right."""
    truth = template_in_crop(TINY).expand(3, -1, -1).clone()
    predicted = truth.clone()
    predicted[..., 0] += shift
    regions = {}
    for region in TINY.load_topology().regions:
        for part in [region, *([region.iris] if region.iris else [])]:
            regions[part.name] = predicted[:, list(part.indices), :2]
    thetas = torch.eye(2, 3).expand(3, 3, 2, 3)
    flags = torch.tensor([20.0, 20.0, -20.0])
    output = MeshOutput(predicted, flags, predicted, regions, thetas)
    weight = torch.ones(3, 478)
    weight[2] = 0
    face = torch.tensor([1.0, 1.0, 0.0])
    return output, Batch(torch.rand(3, 3, 128, 128), truth, weight, weight, face, torch.arange(3))


def parts(output, batch, config):
    terms = batch_terms(output, batch, output.thetas, torch.ones(3, 3), TINY, config)
    return means(terms)


def test_every_output_has_a_term_that_is_0_for_a_perfect_network():
    found = parts(*faces(), LossConfig())
    names = ["mesh", "lips", "right_eye", "right_iris", "left_eye", "left_iris"]
    assert list(found) == [*names, "z", "theta", "face"]
    assert all(value.item() < 1e-3 for value in found.values())


def test_a_shift_costs_the_same_in_every_point_term():
    output, batch = faces(shift=2.0)
    found = parts(output, batch, LossConfig(shape="l1"))
    expected = 200 / sizes(batch, TINY)[0].item()
    for name in ("mesh", "lips", "right_iris"):
        assert found[name].item() == pytest.approx(expected, rel=1e-4)
    assert found["z"].item() == pytest.approx(0, abs=1e-5)
    errors = normalised_errors(output, batch, TINY)
    assert errors["nme"][0].item() == pytest.approx(expected, rel=1e-4)
    assert errors["face_accuracy"][0].item() == 1.0
    assert [value.item() for value in errors["face_logit"]] == [20.0, 2.0]  # of the two faces


def test_padding_of_a_batch_does_not_count():
    output, batch = faces(shift=2.0)
    index = torch.tensor([0, -1, -1])
    alone = batch._replace(index=index)
    terms = batch_terms(output, alone, output.thetas, torch.ones(3, 3), TINY, LossConfig())
    assert terms["mesh"].weight.item() == 478
    assert terms["face"].weight.item() == 1


def test_means_divide_by_weights_and_are_0_without_labels():
    terms = {
        "a": Weighted(torch.tensor(6.0), torch.tensor(3.0)),
        "b": Weighted(torch.tensor(0.0), torch.tensor(0.0)),
    }
    assert {name: value.item() for name, value in means(terms).items()} == {"a": 2.0, "b": 0.0}


def test_weights_come_from_the_config_by_name():
    config = LossConfig(mesh=2.0, region=3.0, regions={"lips": 5.0}, face=0.0)
    ones = {name: torch.tensor(1.0) for name in ("mesh", "lips", "left_eye", "face")}
    assert combined(ones, config.weight).item() == 2 + 5 + 3 + 0
