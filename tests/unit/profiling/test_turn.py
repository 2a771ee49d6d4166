from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from amesh.profiling.head import Angles, HeadFitter
from amesh.profiling.turn import Turned, View, turn
from amesh.topology import Topology


def turned(fitter: HeadFitter, source: Any, yaw: float, **view: Any) -> Turned:
    head = fitter(source.pixels, source.points)
    angles = Angles(yaw, head.angles.pitch, head.angles.roll)
    return turn(source.pixels, head, View(angles, **view), fitter)


def normalised(points: np.ndarray) -> np.ndarray:
    """Points around their mean, in units of the longer side of their box."""
    return (points - points.mean(0)) / np.ptp(points[:, :2], axis=0).max()


@pytest.mark.parametrize("number", [0, 4])
def test_a_frontal_face_turned_agrees_with_its_own_rendering(
    number: int, render: Callable[..., Any], fitter: HeadFitter
) -> None:
    ahead, truth = render(number, 0.0), render(number, 40.0)
    yaw = fitter(ahead.pixels, ahead.points).angles.yaw + 40
    found = turned(fitter, ahead, yaw, distance=20.0)
    apart = np.linalg.norm(normalised(found.landmarks) - normalised(truth.points), axis=1)
    assert apart.mean() < 0.01  # of the face's box
    assert apart.max() < 0.05
    assert (found.visibility == truth.visibility).mean() > 0.85
    scale = np.ptp(truth.points[:, :2], axis=0).max() / np.ptp(found.landmarks[:, :2], axis=0).max()
    shift = truth.points[:, :2].mean(0) - scale * found.landmarks[:, :2].mean(0)
    shift += 0.5 * scale - 0.5  # OpenCV counts from pixel centres
    move = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    moved = cv2.warpAffine(found.pixels, move, truth.pixels.shape[1::-1])
    face = np.zeros(truth.pixels.shape[:2], np.uint8)
    both = found.visibility * truth.visibility > 0
    hull = cv2.convexHull(truth.points[both, :2].round().astype(np.int32))
    cv2.fillConvexPoly(face, hull, 1)
    one, other = (picture[face > 0].ravel().astype(float) for picture in (moved, truth.pixels))
    assert np.corrcoef(one, other)[0, 1] > 0.85


@pytest.mark.parametrize("side", [1, -1])
def test_at_90_degrees_the_near_half_is_visible(
    side: int, render: Callable[..., Any], fitter: HeadFitter, topology: Topology
) -> None:
    found = turned(fitter, render(0, 0.0), side * 90.0)
    # Nose tip, chin, and on the image's left side: outer eye corner, middle of the cheek, jaw.
    near, middle = [33, 50, 172], [1, 152]
    far = topology.mirror[near].tolist()
    if side < 0:
        near, far = far, near
    assert found.visibility[near + middle].all()
    assert not found.visibility[far].any()
    assert 0.35 < found.visibility.mean() < 0.7
    assert side * (found.landmarks[1, 0] - found.landmarks[near[2], 0]) > 0  # looks to that side


def test_a_face_turned_to_where_it_looks_stays_as_it_is(
    render: Callable[..., Any], fitter: HeadFitter, topology: Topology
) -> None:
    face = render(1, 20.0)
    found = turned(fitter, face, fitter(face.pixels, face.points).angles.yaw, distance=1000.0)
    apart = np.linalg.norm(normalised(found.landmarks) - normalised(face.points), axis=1)
    on_eye = [i for iris in topology.irises for i in iris.indices]
    assert np.delete(apart, on_eye).max() < 0.004
    assert apart[on_eye].max() < 0.02  # their z follows the lids


def test_the_picture_has_the_size_and_place_that_the_view_says(
    render: Callable[..., Any], fitter: HeadFitter
) -> None:
    found = turned(fitter, render(0, 0.0), 50.0, face=0.4, shift=(0.1, -0.05), largest=60.0)
    low, high = found.landmarks[:, :2].min(0), found.landmarks[:, :2].max(0)
    side = len(found.pixels)
    assert found.pixels.shape == (side, side, 3)
    assert (high - low).max() == pytest.approx(60, abs=0.01)
    assert side == 150
    np.testing.assert_allclose((low + high) / 2 / side, [0.6, 0.45], atol=0.01)


def test_z_has_the_released_networks_origin(
    render: Callable[..., Any], fitter: HeadFitter, topology: Topology
) -> None:
    found = turned(fitter, render(0, 0.0), 60.0)
    assert abs(found.landmarks[np.unique(topology.triangles), 2].mean()) < 1e-3
    for iris in topology.irises:
        around = found.landmarks[list(iris.z_from), 2].mean()
        np.testing.assert_allclose(found.landmarks[list(iris.indices), 2], around, atol=1e-3)
