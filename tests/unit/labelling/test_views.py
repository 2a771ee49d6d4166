import numpy as np
import pytest
import torch

from amesh.errors import UserError
from amesh.geometry import affine
from amesh.geometry.roi import Roi
from amesh.labelling.views import ViewConfig, design, make_views, to_picture
from amesh.topology.scheme import load


def region(angle: float = 0.0) -> Roi:
    values = ([[100.0, 80.0]], [50.0], [angle])
    return Roi(*(torch.tensor(value, dtype=torch.float64) for value in values))


@pytest.mark.parametrize("count", [8, 16, 32])
def test_convention_every_pair_of_factors_is_balanced(count: int):
    signs = design(count).numpy()
    assert signs.shape == (count, 5)
    assert set(np.unique(signs)) == {-1.0, 1.0}
    np.testing.assert_array_equal(signs.T @ signs, count * np.eye(5))
    np.testing.assert_array_equal(signs.sum(0), 0)
    assert len(np.unique(signs, axis=0)) == count


@pytest.mark.parametrize("count", [0, 1, 4, 12, 64])
def test_a_number_of_looks_that_cannot_be_balanced(count: int):
    with pytest.raises(UserError, match=f"{count} views.*8, 16, 32"):
        ViewConfig(count=count)


def test_convention_shifts_are_in_sides_along_the_regions_own_axes():
    config = ViewConfig(shift=0.1, scale=0.0, rotation=0.0)
    middle = torch.tensor([[32.0, 32.0]], dtype=torch.float64)
    quarter = torch.pi / 2
    for angle, right in ((0.0, (5.0, 0.0)), (quarter, (0.0, 5.0))):
        views = make_views(region(angle), config, 64)
        centres = affine.apply(views.image_from_crop, middle[None].expand(8, 1, 2))[:, 0]
        signs = design(8)
        right, down = torch.tensor(right), torch.tensor([-right[1], right[0]])
        expected = torch.tensor([100.0, 80.0]) + signs[:, :1] * right + signs[:, 1:2] * down
        torch.testing.assert_close(centres, expected.double())


def test_looks_have_the_sizes_turns_and_reflections_of_the_design():
    views = make_views(region(0.3), ViewConfig(rotation=10.0, scale=0.2), 64, closer=0.5)
    signs = design(8)
    linear = views.image_from_crop[:, :, :2]
    side = torch.tensor(25.0) * (0.2 * signs[:, 2]).exp()
    torch.testing.assert_close(views.scale, side / 64)
    torch.testing.assert_close(torch.linalg.det(linear).abs().sqrt(), views.scale)
    assert torch.equal(torch.linalg.det(linear) < 0, views.mirrored)
    assert torch.equal(views.mirrored, signs[:, 4] > 0)
    down = linear[:, :, 1]  # a reflection leaves the crop's y axis
    turn = torch.atan2(-down[:, 0], down[:, 1]) - 0.3
    torch.testing.assert_close(turn, signs[:, 3] * np.deg2rad(10.0))


def test_answers_come_back_to_where_they_were_seen():
    topology = load()
    mirror = torch.tensor(topology.mirror)
    truth = torch.from_numpy(topology.template * 30 + [100, 80, 0])
    views = make_views(region(-0.2), ViewConfig(), 64)
    seen = torch.where(views.mirrored[:, None, None], truth[mirror], truth)
    xy = affine.apply(affine.invert(views.image_from_crop), seen[..., :2])
    answers = torch.cat([xy, seen[..., 2:] / views.scale[:, None, None]], dim=-1)
    back = to_picture(answers, views, mirror)
    torch.testing.assert_close(back, truth.expand(8, -1, -1))
