import math
from itertools import pairwise

import numpy as np
import pytest

from amesh.metrics.points import distances, nearest_on_polyline, nme, point_to_polyline


def _random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def test_nme_equals_a_plain_loop() -> None:
    predicted, truth = _random(4, 7, 3), _random(4, 7, 3, seed=1)
    normaliser = np.array([1.0, 2.0, 3.0, 4.0])
    expected = []
    for b in range(4):
        total = 0.0
        for i in range(7):
            total += math.sqrt(sum((predicted[b, i, d] - truth[b, i, d]) ** 2 for d in range(3)))
        expected.append(100 * total / 7 / normaliser[b])
    np.testing.assert_allclose(nme(predicted, truth, normaliser), expected, rtol=1e-12)


def test_nme_of_a_shifted_face_is_the_shift_over_the_normaliser() -> None:
    face = _random(5, 2)
    found = nme(face + np.array([3.0, 4.0]), face, np.array(50.0))
    assert float(found) == pytest.approx(10.0)


def test_distances_keep_leading_axes() -> None:
    assert distances(np.zeros((2, 3, 4, 2)), np.ones((2, 3, 4, 2))).shape == (2, 3, 4)


def test_distance_to_a_line_by_hand() -> None:
    line = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0]])
    points = np.array([[5.0, 2.0], [-3.0, 4.0], [12.0, 5.0], [10.0, 14.0], [10.0, 0.0]])
    np.testing.assert_allclose(point_to_polyline(points, line), [2.0, 5.0, 2.0, 4.0, 0.0])


def test_distance_to_a_line_equals_a_dense_search() -> None:
    line, points = _random(6, 2), _random(20, 2, seed=1)
    places = np.concatenate(
        [a + np.linspace(0, 1, 20001)[:, None] * (b - a) for a, b in pairwise(line)]
    )
    expected = [np.linalg.norm(places - point, axis=1).min() for point in points]
    np.testing.assert_allclose(point_to_polyline(points, line), expected, atol=1e-4)


def test_distance_to_a_line_is_computed_per_batch_entry() -> None:
    lines, points = _random(3, 4, 2), _random(3, 5, 2, seed=1)
    expected = [point_to_polyline(p, line) for p, line in zip(points, lines, strict=True)]
    np.testing.assert_array_equal(point_to_polyline(points, lines), expected)


def test_distance_does_not_depend_on_the_vertices_of_the_line() -> None:
    line = np.array([[0.0, 0.0], [8.0, 6.0]])
    finer = np.array([[0.0, 0.0], [0.8, 0.6], [0.8, 0.6], [4.0, 3.0], [8.0, 6.0]])
    points = _random(10, 2)
    np.testing.assert_allclose(point_to_polyline(points, line), point_to_polyline(points, finer))


def test_nearest_position_on_a_line_by_hand() -> None:
    line = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0]])
    points = np.array([[5.0, 2.0], [-3.0, 4.0], [12.0, 2.5], [10.0, 14.0]])
    segment, position = nearest_on_polyline(points, line)
    assert segment.tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(position, [0.5, 0.0, 0.25, 1.0])


def test_nearest_position_is_at_the_distance_of_the_line() -> None:
    line, points = _random(6, 2), _random(20, 2, seed=1)
    segment, position = nearest_on_polyline(points, line)
    places = line[segment] + position[:, None] * (line[segment + 1] - line[segment])
    np.testing.assert_allclose(distances(places, points), point_to_polyline(points, line))


def test_line_of_coincident_vertices_is_a_point() -> None:
    line = np.full((3, 2), 1.0)
    assert point_to_polyline(np.array([[4.0, 5.0]]), line).tolist() == [5.0]


def test_line_needs_two_vertices() -> None:
    with pytest.raises(ValueError, match="2 or more vertices, found 1"):
        point_to_polyline(np.zeros((1, 2)), np.zeros((1, 2)))
