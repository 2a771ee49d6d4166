import torch

from amesh.geometry import affine
from amesh.geometry.coordinates import denormalise, normalise, pixel_centres


def random_affines(count: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 2, 3, dtype=torch.float64, generator=generator)


def test_convention_a_matrix_multiplies_columns():
    a = torch.tensor([[[2.0, 3.0, 10.0], [5.0, 7.0, 20.0]]])
    points = torch.tensor([[[1.0, 1.0], [0.0, -1.0]]])
    assert affine.apply(a, points).tolist() == [[[15.0, 32.0], [7.0, 13.0]]]


def test_convention_compose_applies_the_inner_first():
    outer, inner = random_affines(), random_affines().flip(0)
    points = torch.randn(5, 7, 2, dtype=torch.float64)
    both = affine.apply(affine.compose(outer, inner), points)
    torch.testing.assert_close(both, affine.apply(outer, affine.apply(inner, points)))


def test_inverse_agrees_with_a_general_solver_and_inverts():
    a = random_affines()
    square = torch.cat([a, torch.tensor([0.0, 0, 1]).double().expand(5, 1, 3)], 1)
    torch.testing.assert_close(affine.invert(a), torch.linalg.inv(square)[:, :2])
    identity = torch.eye(2, 3, dtype=torch.float64).expand(5, 2, 3)
    torch.testing.assert_close(affine.compose(a, affine.invert(a)), identity)


def test_convention_similarity_rotates_clockwise_on_the_screen():
    # x axis turned to point down (y down): then the y axis points left.
    a = affine.similarity(
        torch.tensor([[10.0, 20.0]]), torch.tensor([[0.0, 1.0]]), torch.tensor([[2.0, 3.0]])
    )
    points = torch.tensor([[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
    assert affine.apply(a, points).tolist() == [[[10.0, 20.0], [10.0, 22.0], [7.0, 20.0]]]


def test_gradients():
    a, b = random_affines(2).requires_grad_(), random_affines(2).requires_grad_()
    points = torch.randn(2, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(affine.apply, (a, points))
    assert torch.autograd.gradcheck(affine.invert, (a,))
    assert torch.autograd.gradcheck(affine.compose, (a, b))


def test_convention_pixel_centres_are_half_a_pixel_inside_the_edges():
    centres = pixel_centres(4, torch.zeros(1))
    assert centres.shape == (4, 4, 2)
    assert centres[0, :, 0].tolist() == [-0.75, -0.25, 0.25, 0.75]  # x runs along a row
    assert centres[:, 0, 1].tolist() == [-0.75, -0.25, 0.25, 0.75]


def test_convention_edges_are_minus_one_and_one():
    corners = torch.tensor([[0.0, 0.0], [192.0, 96.0]])
    assert normalise(corners, 192).tolist() == [[-1.0, -1.0], [1.0, 0.0]]
    torch.testing.assert_close(denormalise(normalise(corners, 192), 192), corners)
    torch.testing.assert_close(
        denormalise(pixel_centres(4, torch.zeros(1))[0, 0], 4), torch.tensor([0.5, 0.5])
    )
