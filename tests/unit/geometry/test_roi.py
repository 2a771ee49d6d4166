import math
from typing import Any

import numpy as np
import pytest
import torch

from amesh.geometry import affine, roi


def test_convention_roi_of_a_level_face_is_level_and_scales_the_longer_side():
    box = torch.tensor([[10.0, 20.0, 50.0, 80.0]])
    eyes = torch.tensor([[[20.0, 40.0], [40.0, 40.0]]])
    found = roi.from_detection(box, eyes)
    assert found.centre.tolist() == [[30.0, 50.0]]
    assert found.size.tolist() == [90.0]
    assert found.angle.tolist() == [0.0]


def test_convention_angle_is_clockwise_on_the_screen():
    # The right-hand eye lower in the picture: the head is turned clockwise.
    eyes = torch.tensor([[[0.0, 0.0], [1.0, 1.0]]])
    found = roi.from_detection(torch.tensor([[0.0, 0, 1, 1]]), eyes)
    assert found.angle.item() == pytest.approx(math.pi / 4)


def test_convention_crop_corners_map_to_the_corners_of_the_rotated_square():
    square = roi.Roi(
        torch.tensor([[100.0, 50.0]]), torch.tensor([20.0]), torch.tensor([math.pi / 2])
    )
    corners = torch.tensor([[[0.0, 0.0], [192.0, 0.0], [0.0, 192.0], [96.0, 96.0]]])
    image = affine.apply(roi.image_from_crop(square, 192), corners)
    # Turned by 90 degrees clockwise, the crop's top edge runs down the square's right side.
    expected = torch.tensor([[[110.0, 40.0], [110.0, 60.0], [90.0, 40.0], [100.0, 50.0]]])
    torch.testing.assert_close(image, expected, rtol=0, atol=1e-4)


def test_roi_from_landmarks_uses_their_upright_box():
    points = torch.tensor([[[0.0, 0.0], [10.0, 4.0], [6.0, 20.0]]])
    anchors = points[:, :2]
    found = roi.from_landmarks(points, anchors)
    assert found.centre.tolist() == [[5.0, 10.0]]
    assert found.size.tolist() == [30.0]
    assert found.angle.item() == pytest.approx(math.atan2(4, 10))


def test_roi_rotates_with_the_picture():
    """Turning the picture by 90 degrees turns the ROI and nothing else."""
    points = torch.rand(1, 9, 2, generator=torch.Generator().manual_seed(0)).double()
    turned = torch.stack([-points[..., 1], points[..., 0]], dim=-1)
    one = roi.from_landmarks(points, points[:, :2])
    other = roi.from_landmarks(turned, turned[:, :2])
    torch.testing.assert_close(one.size, other.size)
    torch.testing.assert_close(
        torch.stack([-one.centre[:, 1], one.centre[:, 0]], dim=-1), other.centre
    )
    difference = (other.angle - one.angle).remainder(2 * math.pi)
    assert difference.item() == pytest.approx(math.pi / 2)


def test_a_shift_goes_right_and_down_in_the_turned_square():
    box = torch.tensor([[0.0, 0.0, 4.0, 2.0]])
    level = torch.tensor([[[0.0, 0.0], [1.0, 0.0]]])
    moved = roi.from_detection(box, level, (2.0, (0.25, 0.5)))
    assert moved.centre.tolist() == [[3.0, 3.0]]
    assert moved.size.tolist() == [8.0]
    down = torch.tensor([[[0.0, 0.0], [0.0, 1.0]]])  # x points down, so y points left
    turned = roi.from_detection(box, down, (2.0, (0.25, 0.5)))
    torch.testing.assert_close(turned.centre, torch.tensor([[0.0, 2.0]]))


@pytest.mark.parametrize("rule", [roi.WHOLE_FACE, (2.0, (0.25, 0.5))])
def test_a_turned_roi_is_that_of_the_same_box_with_turned_eyes(rule: roi.Rule):
    box = torch.tensor([[0.0, 0.0, 4.0, 2.0]])
    level = torch.tensor([[[0.0, 0.0], [1.0, 0.0]]])
    down = torch.tensor([[[0.0, 0.0], [0.0, 1.0]]])
    found = roi.turned(roi.from_detection(box, level, rule), math.pi / 2, rule)
    for part, expected in zip(found, roi.from_detection(box, down, rule), strict=True):
        torch.testing.assert_close(part, expected)


@pytest.mark.parametrize("library", [np, torch])
def test_regions_are_picked_and_joined_in_either_library(library: Any):
    numbers = library.arange(12.0).reshape(3, 4)
    rois = roi.Roi(numbers[:, :2], numbers[:, 2], numbers[:, 3])
    last, first = rois.pick(slice(2, None)), rois.pick(rois.size < 4)
    joined = roi.Roi.joined([last, first])
    assert joined.centre.tolist() == [[8, 9], [0, 1]]
    assert joined.size.tolist() == [10, 2]
    assert joined.angle.tolist() == [11, 3]
    assert type(joined.size) is type(numbers)
