import math

import pytest
import torch

from amesh.geometry import affine, region


def face(seed: int = 0, points: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    """Random region points [normalised] and two anchors among them, turned by about 30 degrees."""
    generator = torch.Generator().manual_seed(seed)
    cloud = torch.randn(3, points, 2, dtype=torch.float64, generator=generator)
    cloud = cloud * torch.tensor([0.3, 0.1]) + torch.tensor([0.2, -0.1])
    turn = math.radians(30)
    rotation = torch.tensor(
        [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
    ).double()
    cloud = cloud @ rotation.T
    return cloud, torch.stack([cloud[:, 0], cloud[:, 1]], dim=1)


def released_rule(points: torch.Tensor, anchors: torch.Tensor, size: int) -> torch.Tensor:
    """The operator `Landmarks2TransformMatrix` by angles, written apart from the implementation.

    In pixels: rotate by -roll, box, scale width and height by 1.5, and T(centre) R S T(-size / 2).
    """
    matrices = []
    for cloud, (left, right) in zip(points.tolist(), anchors.tolist(), strict=True):
        roll = math.atan2(right[1] - left[1], right[0] - left[0])
        c, s = math.cos(roll), math.sin(roll)
        turned = [(c * x + s * y, -s * x + c * y) for x, y in cloud]
        low = [min(p[i] for p in turned) for i in (0, 1)]
        high = [max(p[i] for p in turned) for i in (0, 1)]
        u, v = ((low[i] + high[i]) / 2 for i in (0, 1))
        sx, sy = (1.5 * (high[i] - low[i]) / size for i in (0, 1))
        a, b = c * sx, -s * sy
        d, e = s * sx, c * sy
        h = size / 2
        matrices.append(
            [
                [a, b, c * u - s * v - a * h - b * h],
                [d, e, s * u + c * v - d * h - e * h],
            ]
        )
    return torch.tensor(matrices, dtype=torch.float64)


def test_box_rule_matches_a_second_implementation_of_the_released_operator():
    points, anchors = face()
    size, map_size = 16, 48
    pixels, anchor_pixels = (points + 1) * map_size / 2, (anchors + 1) * map_size / 2
    expected = released_rule(pixels, anchor_pixels, size)
    theta = region.theta_from_box(points, anchors)
    corners = torch.tensor([[[0.0, 0], [16, 0], [0, 16], [16, 16]]]).double().expand(3, 4, 2)
    by_theta = (affine.apply(theta, corners / 8 - 1) + 1) * map_size / 2
    torch.testing.assert_close(by_theta, affine.apply(expected, corners))


@pytest.mark.parametrize("rule", ["box", "corners"])
def test_convention_anchors_are_on_one_row(rule: str):
    points, anchors = face()
    if rule == "box":
        theta = region.theta_from_box(points, anchors)
    else:
        theta = region.theta_from_corners(anchors, region.CornerFrame((0.1, -0.2), 2.5))
    rows = affine.apply(affine.invert(theta), anchors)[..., 1]
    torch.testing.assert_close(rows[:, 0], rows[:, 1])
    columns = affine.apply(affine.invert(theta), anchors)[..., 0]
    assert (columns[:, 0] < columns[:, 1]).all()


def test_convention_points_span_the_crop_over_one_and_a_half():
    points, anchors = face()
    seen = affine.apply(affine.invert(region.theta_from_box(points, anchors)), points)
    torch.testing.assert_close(seen.amin(1), torch.full((3, 2), -1 / 1.5).double())
    torch.testing.assert_close(seen.amax(1), torch.full((3, 2), 1 / 1.5).double())


def test_convention_corner_rule_fixes_the_positions_of_the_anchors():
    frame = region.CornerFrame((0.1, -0.2), 2.5)
    places = []
    for seed in range(3):
        _, anchors = face(seed)
        theta = region.theta_from_corners(anchors, frame)
        places.append(affine.apply(affine.invert(theta), anchors))
    torch.testing.assert_close(places[0], places[1])
    torch.testing.assert_close(places[0], places[2])
    # One scale: the anchors' distance is 2 / side, and the crop's centre lies as the frame says.
    torch.testing.assert_close(
        places[0][0, 1] - places[0][0, 0], torch.tensor([2 / 2.5, 0.0], dtype=torch.float64)
    )
    torch.testing.assert_close(
        places[0][0].mean(0),
        torch.tensor([-0.1, 0.2], dtype=torch.float64) * 2 / 2.5,
        rtol=0,
        atol=1e-9,
    )


def test_corner_frame_encloses_the_measured_points_in_a_square():
    points, anchors = face()
    frame = region.corner_frame(points[0], anchors[0])
    theta = region.theta_from_corners(anchors[:1], frame)
    seen = affine.apply(affine.invert(theta), points[:1])[0]
    centre = (seen.amin(0) + seen.amax(0)) / 2
    torch.testing.assert_close(centre, torch.zeros(2).double(), rtol=0, atol=1e-9)
    longest = (seen.amax(0) - seen.amin(0)).max().item()
    assert longest == pytest.approx(2 / 1.5, rel=1e-9)


def test_thetas_move_with_the_face():
    """Equivariance: theta of a turned, scaled, shifted face is theta carried by the same motion."""
    points, anchors = face()
    motion = affine.similarity(
        torch.tensor([[0.3, -0.4]]).double().expand(3, 2),
        torch.tensor([[math.cos(1.0), math.sin(1.0)]]).double().expand(3, 2),
        torch.full((3, 2), 0.7).double(),
    )
    moved = region.theta_from_box(affine.apply(motion, points), affine.apply(motion, anchors))
    torch.testing.assert_close(
        moved, affine.compose(motion, region.theta_from_box(points, anchors)), rtol=1e-9, atol=1e-9
    )


def test_gradients():
    points, anchors = face(points=5)
    points.requires_grad_()
    anchors.requires_grad_()
    frame = region.CornerFrame((0.1, -0.2), 2.5)
    assert torch.autograd.gradcheck(region.theta_from_box, (points, anchors))
    assert torch.autograd.gradcheck(lambda a: region.theta_from_corners(a, frame), (anchors,))


def test_a_collapsed_face_gives_finite_thetas_and_gradients():
    points = torch.zeros(1, 4, 2, requires_grad=True)
    theta = region.theta_from_box(points, points[:, :2])
    theta.sum().backward()
    assert theta.isfinite().all()
    assert points.grad is not None
    assert points.grad.isfinite().all()
