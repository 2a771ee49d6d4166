import pytest
import torch

from amesh.data.loading.sample import Batch
from amesh.losses.config import LossConfig
from amesh.losses.consistency import consistency_term
from amesh.losses.terms import sizes
from amesh.nn.config import NAMED
from amesh.nn.template import template_in_crop

TINY = NAMED["tiny-128"]
# Twice as large, and moved.
FIRST_FROM_SECOND = torch.tensor([[2.0, 0.0, 3.0], [0.0, 2.0, -5.0]]).expand(4, 2, 3)


def views(apart: float) -> tuple[torch.Tensor, torch.Tensor, Batch]:
    """Landmarks that agree but for `apart` px along x; a face, one unlabelled, none, padding."""
    first = template_in_crop(TINY).expand(4, -1, -1).clone()
    second = (first - torch.tensor([3.0 + apart, -5.0, 0.0])) / 2
    weight = torch.zeros(4, 478)
    weight[0] = 1
    face = torch.tensor([1.0, 1.0, 0.0, 1.0])
    index = torch.tensor([0, 1, 2, -1])
    return first, second, Batch(torch.rand(4, 3, 128, 128), first, weight, weight, face, index)


def test_the_same_place_in_both_views_costs_nothing():
    first, second, batch = views(apart=0.0)
    term = consistency_term(first, second, FIRST_FROM_SECOND, batch, TINY, LossConfig())
    assert (term.total / term.weight).item() < 1e-3


def test_differences_count_in_percent_of_the_face_for_faces_alone():
    first, second, batch = views(apart=0.5)
    config = LossConfig(shape="l1")
    term = consistency_term(first, second, FIRST_FROM_SECOND, batch, TINY, config)
    assert term.weight.item() == 2 * 478  # with labels or without; no background, no padding
    expected = 100 * 0.5 / sizes(batch, TINY)[0].item()
    assert (term.total / term.weight).item() == pytest.approx(expected, rel=1e-4)


def test_both_views_learn():
    first, second, batch = views(apart=0.5)
    first.requires_grad_()
    second.requires_grad_()
    term = consistency_term(first, second, FIRST_FROM_SECOND, batch, TINY, LossConfig(shape="l1"))
    term.total.backward()
    scale = 100 / sizes(batch, TINY)[0].item()
    assert first.grad[0, 0].tolist() == pytest.approx([scale, 0, 0], abs=1e-3)
    assert second.grad[0, 0].tolist() == pytest.approx([-2 * scale, 0, 0], abs=1e-3)
