import math

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from amesh.errors import UserError
from amesh.geometry import affine
from amesh.losses.config import LossConfig
from amesh.losses.points import (
    expected_error_term,
    face_size,
    shaped,
    theta_term,
    xy_term,
    z_term,
)

L1 = LossConfig(shape="l1")


def test_an_error_of_a_tenth_of_the_face_is_ten_percent():
    predicted = torch.tensor([[[13.0, 4.0], [0.0, 0.0]]])
    truth = torch.tensor([[[10.0, 0.0], [0.0, 0.0]]])
    total, weight = xy_term(predicted, truth, torch.tensor([[2.0, 1.0]]), torch.tensor([50.0]), L1)
    assert total.item() == pytest.approx(2 * 10.0, abs=1e-3)
    assert weight.item() == 3.0


@given(st.floats(0.1, 10.0))
def test_loss_does_not_depend_on_the_scale_of_the_face(scale):
    points = torch.randn(2, 5, 2, generator=torch.manual_seed(0)) * 20
    truth = torch.zeros_like(points)
    weight, size = torch.ones(2, 5), torch.tensor([40.0, 60.0])
    one = xy_term(points, truth, weight, size, LossConfig())
    other = xy_term(points * scale, truth, weight, size * scale, LossConfig())
    assert other.total.item() == pytest.approx(one.total.item(), rel=1e-4)


def test_unlabelled_points_affect_neither_loss_nor_gradient_even_if_nan():
    predicted = torch.zeros(1, 2, 2, requires_grad=True)
    truth = torch.tensor([[[1.0, 1.0], [math.nan, math.nan]]])
    total, _ = xy_term(predicted, truth, torch.tensor([[1.0, 0.0]]), torch.tensor([10.0]), L1)
    total.backward()
    assert total.item() == pytest.approx(100 * math.sqrt(2) / 10, rel=1e-5)
    assert predicted.grad is not None
    assert predicted.grad[0, 1].tolist() == [0.0, 0.0]


def test_a_perfect_point_has_a_finite_gradient():
    predicted = torch.zeros(1, 1, 2, requires_grad=True)
    truth = torch.zeros(1, 1, 2)
    xy_term(predicted, truth, torch.ones(1, 1), torch.ones(1), LossConfig()).total.backward()
    assert torch.isfinite(predicted.grad).all()


def test_wing_is_continuous_and_steeper_near_zero():
    config = LossConfig(wing_width=5.0, wing_curvature=1.0)
    values = shaped(torch.tensor([0.0, 0.001, 4.9999, 5.0001, 6.0001]), config)
    assert values[0].item() == 0.0
    assert values[1].item() / 0.001 == pytest.approx(5.0, rel=1e-2)
    assert values[2].item() == pytest.approx(values[3].item(), abs=1e-3)
    assert (values[4] - values[3]).item() == pytest.approx(1.0, abs=1e-4)


def test_relative_z_does_not_depend_on_the_zero_of_z():
    truth = torch.tensor([[1.0, 5.0, -3.0]])
    weight, size = torch.tensor([[1.0, 2.0, 0.0]]), torch.tensor([10.0])
    moved = z_term(truth + 7, truth, weight, size, L1)
    absolute = z_term(truth + 7, truth, weight, size, LossConfig(shape="l1", relative_z=False))
    assert moved.total.item() == pytest.approx(0.0, abs=1e-3)
    assert absolute.total.item() == pytest.approx(3 * 70.0)


def test_theta_loss_is_the_distance_of_the_corners():
    theta = torch.tensor([[[[0.5, 0.1, 0.2], [-0.1, 0.4, 0.0]]]])
    shift = theta.clone()
    shift[..., 0, 2] += 0.1  # a tenth of half a picture of 200 px: every corner moves 10 px
    size, ones = torch.tensor([100.0]), torch.ones(1, 1)
    assert theta_term(shift, theta, ones, size, 200, L1).total.item() == pytest.approx(10, rel=1e-4)
    shear = theta.clone()
    shear[..., 0, 1] += 0.1
    total = theta_term(shear, theta, ones, size, 200, L1).total.item()
    corners = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])
    moved = affine.apply(shear[0, 0], corners) - affine.apply(theta[0, 0], corners)
    assert total == pytest.approx(100 * moved.norm(dim=-1).mean().item() * 100 / 100, rel=1e-4)


def test_face_size_is_3d_where_z_is_labelled():
    landmarks = torch.tensor([[[0.0, 0.0, 0.0], [30.0, 0.0, 40.0]]]).expand(3, -1, -1)
    weight_xy = torch.tensor([[1.0, 1.0], [1.0, 1.0], [1.0, 0.0]])
    weight_z = torch.tensor([[1.0, 1.0], [0.0, 1.0], [1.0, 1.0]])
    sizes = face_size(landmarks, weight_xy, weight_z, (0, 1), 45.0)
    assert sizes.tolist() == [50.0, 30.0, 45.0]
    assert face_size(landmarks[:1] * 0.1, weight_xy[:1], weight_z[:1], (0, 1), 45.0).item() == 22.5


def test_a_weight_below_zero_is_refused():
    with pytest.raises(UserError, match="losses: z is -1; a weight must be 0"):
        LossConfig(z=-1)
    with pytest.raises(UserError, match=r"losses: regions.lips is -2"):
        LossConfig(regions={"lips": -2})


def expected(errors: torch.Tensor, weight: torch.Tensor):
    """The loss of expected errors where the points are off by 3 and 4 px; the box is 10 px."""
    truth = torch.tensor([[[0.0, 0.0], [10.0, 0.0]]])
    predicted = truth + torch.tensor([[[0.0, 3.0], [4.0, 0.0]]])
    size = torch.tensor([50.0])
    return expected_error_term(errors, predicted, truth, weight, size, LossConfig())


def test_the_loss_of_expected_errors_has_known_values():
    total, weight = expected(torch.tensor([[3.0, 8.0]]), torch.ones(1, 2))
    # 3 / 3 + ln(6 %) and 4 / 8 + ln(16 %)
    assert total.item() == pytest.approx(1 + math.log(6) + 0.5 + math.log(16), rel=1e-5)
    assert weight.item() == 2


def test_expected_errors_are_best_where_they_are_the_errors():
    errors = torch.tensor([[3.0, 4.0]], requires_grad=True)
    expected(errors, torch.ones(1, 2)).total.backward()
    torch.testing.assert_close(errors.grad, torch.zeros(1, 2), atol=1e-5, rtol=0)


@pytest.mark.parametrize("nowhere", [math.nan, 1e6])
def test_points_without_a_label_do_not_enlarge_the_face(nowhere):
    errors, weight = torch.tensor([[3.0, 4.0, 5.0]]), torch.tensor([[0.5, 1.0, 0.0]])
    predicted = torch.tensor([[[3.0, 0.0], [10.0, 4.0], [5.0, 2.0]]])
    truth = torch.tensor([[[0.0, 0.0], [10.0, 0.0], [nowhere, nowhere]]])
    total = expected_error_term(
        errors, predicted, truth, weight, torch.tensor([50.0]), LossConfig()
    ).total
    # The spread of the first label: twice 0.007 of 10 px.
    first = math.hypot(3.0, 0.14) / 3.0 + math.log(6)
    assert total.item() == pytest.approx(first + 1 + math.log(8), rel=1e-5)


def test_a_label_that_spreads_may_itself_be_wrong():
    # Weight 0.5: the spread is 0.007 of the box of 10 px, and the label off by twice as much.
    errors = torch.tensor([[math.hypot(3.0, 0.14), 4.0]], requires_grad=True)
    expected(errors, torch.tensor([[0.5, 1.0]])).total.backward()
    torch.testing.assert_close(errors.grad, torch.zeros(1, 2), atol=1e-5, rtol=0)


def test_the_expected_error_of_an_unlabelled_point_does_not_count():
    errors = torch.tensor([[3.0, 4.0]], requires_grad=True)
    total, weight = expected(errors, torch.tensor([[1.0, 0.0]]))
    total.backward()
    assert weight.item() == 1
    assert errors.grad[0, 1].item() == 0
    assert total.item() == pytest.approx(1 + math.log(6), rel=1e-5)


def test_a_network_that_is_certain_gets_a_finite_loss_that_pulls_it_up():
    errors = torch.zeros(1, 2, requires_grad=True)
    total, _ = expected(errors, torch.ones(1, 2))
    total.backward()
    # 3 and 4 px of the least expected error, 0.01 % of 50 px.
    assert total.item() == pytest.approx(3 / 0.005 + 4 / 0.005 + 2 * math.log(0.01), rel=1e-5)
    assert (errors.grad < 0).all()
    assert torch.isfinite(errors.grad).all()


def test_a_network_that_is_right_does_not_gain_without_limit():
    errors, point = torch.full((1, 1), 1e-9, requires_grad=True), torch.zeros(1, 1, 2)
    size, weight = torch.tensor([50.0]), torch.ones(1, 1)
    total = expected_error_term(errors, point, point, weight, size, LossConfig()).total
    total.backward()
    assert total.item() == pytest.approx(1 + math.log(0.01), rel=1e-5)
    assert errors.grad.item() == pytest.approx(0, abs=1e-3)
