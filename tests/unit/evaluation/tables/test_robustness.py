from collections.abc import Callable

import numpy as np
import pytest
import torch

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.misplacement import Change, changes, misplace
from amesh.evaluation.tables.accuracy import Comparison
from amesh.evaluation.tables.robustness import curves
from amesh.geometry.roi import Roi, image_from_crop
from amesh.topology.scheme import Topology

Pose = Callable[..., np.ndarray]
MakeLabel = Callable[..., LabelledFace]

ROI = Roi(
    torch.tensor([[50.0, 40.0]], dtype=torch.float64),
    torch.tensor([20.0], dtype=torch.float64),
    torch.tensor([torch.pi / 2], dtype=torch.float64),
)


def test_grid_is_balanced_and_starts_untouched() -> None:
    grid = changes()
    assert grid[0] == Change("none", 0.0)
    assert max(abs(change.right) for change in grid) == pytest.approx(0.2)
    assert (min(c.scale for c in grid), max(c.scale for c in grid)) == (0.7, 1.4)
    assert max(abs(change.roll) for change in grid) == pytest.approx(np.pi / 4)
    for part in ("right", "down", "roll"):
        assert sum(getattr(change, part) for change in grid) == pytest.approx(0.0)


def test_shift_goes_along_the_axes_of_the_crop() -> None:
    # Turned by 90 degrees, the crop's x axis points down the picture, its y axis to the left.
    found = misplace(ROI, [Change("shift", 10, right=0.1), Change("shift", 10, down=0.1)])
    np.testing.assert_allclose(found.centre, [[50, 42], [48, 40]], atol=1e-12)
    matrix = image_from_crop(ROI, 100)[0].numpy()
    for centre, crop in zip(found.centre.numpy(), [(60, 50, 1), (50, 60, 1)], strict=True):
        np.testing.assert_allclose(matrix @ crop, centre, atol=1e-12)


def test_scale_and_roll_keep_the_centre() -> None:
    found = misplace(ROI, [Change("scale", 1.4, scale=1.4), Change("roll", 30, roll=np.pi / 6)])
    np.testing.assert_allclose(found.centre, [[50, 40], [50, 40]])
    np.testing.assert_allclose(found.size, [28, 20])
    np.testing.assert_allclose(found.angle, [np.pi / 2, np.pi / 2 + np.pi / 6])


def test_curves_average_the_directions_of_a_change(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    grid = changes()
    labels = [label(pose()), label(pose()), label(pose())]
    # A network whose error is the shift itself: 0.6 px, 1 % of the eye distance, for each percent
    # to the right, three times that to the left, nothing up or down.
    moved = []
    for change in grid:
        off = 0.6 * 100 * (change.right if change.right > 0 else -3 * change.right)
        moved.append(pose() + np.array([off, 0, 0]))
    face = np.stack(moved).astype(np.float64)
    worse = 2 * face - pose()  # twice as far away in every crop
    networks = {"new": [worse, worse, None], "old": [face, face, None]}
    by_name = curves(labels, networks, topology, Comparison("old", 50, 0))
    found = by_name["old"]
    [line] = [c for c in found if (c.group, c.measure, c.kind) == ("helen", "inner_51", "shift")]
    assert [value for value, _ in line.points] == [0.0, 5.0, 10.0, 15.0, 20.0]
    # Mean of 1, 3, 0 and 0 percent for each percent of shift.
    np.testing.assert_allclose([p.value for _, p in line.points], [0, 5, 10, 15, 20], atol=1e-9)
    assert line.changes == ()
    [other] = [c for c in by_name["new"] if (c.measure, c.kind) == ("inner_51", "shift")]
    np.testing.assert_allclose([p.value for _, p in other.points], [0, 10, 20, 30, 40], atol=1e-9)
    np.testing.assert_allclose([change.value for change in other.changes[1:]], 100)
    [scale] = [c for c in found if (c.measure, c.kind) == ("inner_51", "scale")]
    assert [value for value, _ in scale.points] == [0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4]
    assert {c.kind for c in found} == {"shift", "scale", "roll"}


def test_nothing_to_measure_gives_no_curve(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    how = Comparison("x", 50, 0)
    assert curves([label(pose())], {"x": [None]}, topology, how) == {"x": []}
