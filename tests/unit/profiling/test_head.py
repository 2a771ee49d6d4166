from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from amesh.profiling.head import HeadFitter, angles_of
from amesh.synth.pose import rotation
from amesh.topology import Topology


@pytest.mark.parametrize("angles", [(0, 0, 0), (50, -20, 10), (-85, 12, -170), (30, 40, 90)])
def test_angles_are_those_of_the_rotation(angles: tuple[float, float, float]) -> None:
    matrix = rotation(torch.tensor([angles], dtype=torch.float64).deg2rad())[0].numpy()
    assert angles_of(matrix) == pytest.approx(angles, abs=1e-9)


def test_a_fitted_head_projects_onto_the_labels(
    render: Callable[..., Any], fitter: HeadFitter, topology: Topology
) -> None:
    face = render(2, 25.0)
    head = fitter(face.pixels, face.points)
    assert head.angles.yaw == pytest.approx(25, abs=4)
    count = topology.points
    np.testing.assert_allclose(
        head.in_picture(head.vertices[:count])[:, :2], face.points[:, :2], atol=0.01
    )
    np.testing.assert_array_equal(head.place[:count], face.points[:, :2])
    assert fitter.triangles.max() == len(head.vertices) - 1
    assert (head.shade[:count] == 1).all()
    assert np.isfinite(head.vertices).all()
    assert np.isfinite(head.place).all()


def test_the_iris_lies_before_the_corners_of_the_eye(
    render: Callable[..., Any], fitter: HeadFitter, topology: Topology
) -> None:
    face = render(2, 0.0)
    head = fitter(face.pixels, face.points)
    for iris, corners in zip(topology.irises, ([33, 133], [362, 263]), strict=True):
        depth = head.vertices[list(iris.indices), 2]
        assert np.ptp(depth) < 1e-6
        assert depth[0] < head.vertices[corners, 2].mean()


def test_closed_eyes_are_fitted(
    render: Callable[..., Any], fitter: HeadFitter, topology: Topology
) -> None:
    face = render(2, 0.0)
    points = face.points.copy()
    for iris in topology.irises:  # as if the lid were far below the iris
        points[list(iris.indices), 1] -= 20
    head = fitter(face.pixels, points)
    assert np.isfinite(head.vertices).all()
    assert np.abs(head.vertices).max() < 5
