"""Where makeup goes on the mean face."""

from itertools import pairwise

import numpy as np
import pytest

from amesh.effects import makeup_shapes as shapes
from amesh.effects.makeup_shapes import FaceShape, facing
from amesh.topology import load

TEMPLATE = load().template


def turned(yaw: float, pitch: float = 0.0) -> np.ndarray:
    a, b = np.radians(yaw), np.radians(pitch)
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return TEMPLATE @ (about_y @ about_x).T


def area(outline: np.ndarray) -> float:
    x, y = outline.T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


@pytest.mark.parametrize("closed", [False, True])
def test_splines_pass_through_their_points_and_are_straight_on_lines(closed: bool) -> None:
    points = np.random.default_rng(0).normal(size=(9, 2))
    curve = shapes._spline(9, closed) @ points
    np.testing.assert_allclose(curve[::6], points, atol=1e-12)
    line = np.stack([np.arange(9.0), 2 * np.arange(9.0)], axis=1)
    straight = shapes._spline(9, False) @ line
    np.testing.assert_allclose(straight[:, 1], 2 * straight[:, 0], atol=1e-12)
    assert (np.diff(straight[:, 0]) > 0).all()


def test_a_closed_spline_through_a_circle_is_round() -> None:
    angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    curve = shapes._spline(12, True) @ np.stack([np.cos(angle), np.sin(angle)], axis=1)
    np.testing.assert_allclose(np.linalg.norm(curve, axis=1), 1, atol=0.005)


def test_facing_is_the_cosine_of_the_turn() -> None:
    """Between the brows, the surface looks ahead."""
    ahead = facing(TEMPLATE)[9]
    assert ahead > 0.97
    for yaw in (-60, -30, 45, 80):
        assert facing(turned(yaw))[9] == pytest.approx(np.cos(np.radians(yaw)), abs=0.06)
    assert facing(turned(0))[50] == pytest.approx(facing(turned(0))[280], abs=0.03)
    assert facing(turned(50))[280] > 0.9 > 0.1 > facing(turned(50))[50]


@pytest.mark.parametrize("scale", [[-1, 1, 1], [1, 1, 0]], ids=["reflected", "flat"])
def test_facing_of_a_reflected_or_flat_face(scale) -> None:
    np.testing.assert_allclose(facing(TEMPLATE * scale), facing(TEMPLATE), atol=0.1)


def test_the_unit_does_not_shrink_when_the_head_turns() -> None:
    assert FaceShape(TEMPLATE).unit == pytest.approx(1.0, abs=1e-3)
    assert FaceShape(turned(60, 20)).unit == pytest.approx(1.0, abs=1e-3)


def test_rows_lie_in_order_from_the_lashes_to_the_brow() -> None:
    brow = TEMPLATE[[46, 53, 52, 65, 55]]
    for eye in shapes._rows().eyes:
        rows = [TEMPLATE[list(row)][2:-2, 1] for row in (eye.lower, eye.upper, eye.fold, eye.bone)]
        for below, above in pairwise(rows):
            assert (above < below).all()
        assert rows[-1].mean() > brow[:, 1].mean()
        ends = abs(TEMPLATE[[eye.upper[0], eye.upper[-1]], 0])
        assert ends[0] > ends[1], "from the outer to the inner end"


def test_the_left_side_mirrors_the_right() -> None:
    rows = shapes._rows()
    for right, left in (rows.eyes, rows.cheeks):
        first, second = (
            [np.array(getattr(e, "upper", e)) for e in pair] for pair in ((right,), (left,))
        )
        x = TEMPLATE[first[0], 0], TEMPLATE[second[0], 0]
        np.testing.assert_allclose(x[0], -x[1], atol=0.02)
        assert (x[0] < 0).all()


def test_cheeks_lie_between_eyes_and_mouth() -> None:
    [right, left] = shapes.cheeks(FaceShape(TEMPLATE))
    for cheek, side in ((right, -1), (left, 1)):
        [layer] = cheek.layers
        centre = layer.outline.mean(axis=0)
        assert 0.05 < centre[1] < TEMPLATE[61, 1]
        assert 0.2 < side * centre[0] < 0.6


def test_the_line_of_the_eyes_runs_out_in_a_wing() -> None:
    for line in shapes.eye_lines(FaceShape(TEMPLATE)):
        tip = line.layers[0].outline[0]
        corner = TEMPLATE[33 if tip[0] < 0 else 263, :2]
        assert abs(tip[0]) > abs(corner[0]) + 0.02
        assert tip[1] < corner[1]


def test_shadow_is_strongest_on_the_lid() -> None:
    for shadow in shapes.eye_lids_and_folds(FaceShape(TEMPLATE)):
        sizes = [area(layer.outline) for layer in shadow.layers]
        levels = [layer.level for layer in shadow.layers]
        assert sizes == sorted(sizes, reverse=True)
        assert levels == sorted(levels)


def test_an_iris_is_a_ring_around_its_centre() -> None:
    for number, ring in zip((468, 473), shapes.irises(FaceShape(TEMPLATE)), strict=True):
        outer, pupil = (layer.outline for layer in ring.layers)
        np.testing.assert_allclose(outer.mean(axis=0), TEMPLATE[number, :2], atol=0.02)
        assert area(pupil) / area(outer) == pytest.approx((0.36 / 0.96) ** 2, rel=1e-6)
        assert ring.layers[1].level == 0
