import numpy as np
import pytest

from amesh.errors import UserError
from amesh.geometry import affine
from amesh.geometry.roi import Roi
from amesh.labelling.views import ViewConfig, design, make_views, to_picture
from amesh.topology.scheme import load


def region(angle: float = 0.0) -> Roi:
    return Roi.at(100, 80, 50, angle)


@pytest.mark.parametrize("count", [8, 16, 32])
def test_convention_every_pair_of_factors_is_balanced(count: int):
    signs = design(count)
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
    middle = np.array([[32.0, 32.0]])
    quarter = np.pi / 2
    for angle, right in ((0.0, (5.0, 0.0)), (quarter, (0.0, 5.0))):
        views = make_views(region(angle), config, 64)
        centres = affine.apply(views.image_from_crop, middle[None].repeat(8, axis=0))[:, 0]
        signs = design(8)
        right, down = np.array(right), np.array([-right[1], right[0]])
        expected = np.array([100.0, 80.0]) + signs[:, :1] * right + signs[:, 1:2] * down
        np.testing.assert_allclose(centres, expected)


def test_looks_have_the_sizes_turns_and_reflections_of_the_design():
    views = make_views(region(0.3), ViewConfig(rotation=10.0, scale=0.2), 64, closer=0.5)
    signs = design(8)
    linear = views.image_from_crop[:, :, :2]
    side = 25 * np.exp(0.2 * signs[:, 2])
    np.testing.assert_allclose(views.scale, side / 64)
    np.testing.assert_allclose(np.sqrt(np.abs(np.linalg.det(linear))), views.scale)
    np.testing.assert_array_equal(np.linalg.det(linear) < 0, views.mirrored)
    np.testing.assert_array_equal(views.mirrored, signs[:, 4] > 0)
    down = linear[:, :, 1]  # a reflection leaves the crop's y axis
    turn = np.arctan2(-down[:, 0], down[:, 1]) - 0.3
    np.testing.assert_allclose(turn, signs[:, 3] * np.deg2rad(10.0))


def test_answers_come_back_to_where_they_were_seen():
    topology = load()
    mirror = np.array(topology.mirror)
    truth = topology.template * 30 + [100, 80, 0]
    views = make_views(region(-0.2), ViewConfig(), 64)
    seen = np.where(views.mirrored[:, None, None], truth[mirror], truth)
    xy = affine.apply(affine.invert(views.image_from_crop), seen[..., :2])
    answers = np.concatenate([xy, seen[..., 2:] / views.scale[:, None, None]], axis=-1)
    back = to_picture(answers, views, mirror)
    np.testing.assert_allclose(back, truth[None].repeat(8, axis=0))
