"""The head that predicts the error of each landmark."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from amesh.errors import UserError
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.cascade import Cascade
from amesh.nn.config import NAMED
from amesh.nn.error_head import ErrorHead
from amesh.nn.mesh_only import MeshOnly

TINY = NAMED["tiny-128"]
WITH_ERRORS = replace(TINY, error_width=8)


@pytest.mark.parametrize("kind", [AttentionMesh, MeshOnly, Cascade])
def test_errors_are_one_more_output_and_change_no_other(kind: type[nn.Module]):
    torch.manual_seed(0)
    plain, image = kind(TINY).eval(), torch.rand(2, 3, 128, 128)
    more = kind(WITH_ERRORS).eval()
    more.load_state_dict(plain.state_dict(), strict=False)
    before, after = plain(image), more(image)
    assert before.expected_error is None
    assert after.expected_error.shape == (2, 478)
    assert torch.equal(before.landmarks, after.landmarks)
    assert torch.equal(before.face_flag, after.face_flag)


def test_a_fresh_head_expects_a_hundredth_of_the_input():
    torch.manual_seed(0)
    errors = ErrorHead(WITH_ERRORS)(torch.zeros(1, 64, 2, 2))
    torch.testing.assert_close(errors, torch.full((1, 478), 1.28))


def test_errors_are_positive_and_below_a_quarter_of_the_input():
    torch.manual_seed(0)
    errors = ErrorHead(WITH_ERRORS)(1e4 * torch.randn(8, 64, 2, 2))
    assert errors.min() >= 0
    assert errors.max() <= 32
    assert errors.max() > 20


def test_a_crop_that_is_not_finite_gets_no_expected_error():
    torch.manual_seed(0)
    image = torch.rand(2, 3, 128, 128)
    image[1, 0, 5, 5] = torch.nan
    errors = AttentionMesh(WITH_ERRORS).eval()(image).expected_error
    assert errors[0].isfinite().all()
    assert errors[1].isnan().all()


def test_the_landmarks_learn_nothing_from_the_expected_errors():
    net = AttentionMesh(WITH_ERRORS)
    net(torch.rand(1, 3, 128, 128)).expected_error.sum().backward()
    learning = {name for name, p in net.named_parameters() if p.grad is not None}
    assert learning == {
        f"mesh.error_head.{name}" for name, _ in net.mesh.error_head.named_parameters()
    }


@pytest.mark.parametrize("width", [-1, 4096])
def test_a_width_that_cannot_be_built_is_refused(width: int):
    with pytest.raises(UserError, match=f"tiny-128: error_width {width}; expected 1 to 512"):
        replace(TINY, error_width=width)
