"""From expected errors to probabilities, by hand and against random errors."""

import numpy as np
import pytest

from amesh.pipeline.confidence import (
    TOLERANCE,
    frontal_eye_distance,
    landmark_confidence,
    within,
)
from amesh.topology import load

FACE = load()


def test_convention_confidence_by_hand() -> None:
    # 2 x limit / expected = 2, 1, infinite
    expected = np.array([1.0, 2.0, 0.0])
    assert within(expected, 1.0) == pytest.approx([1 - 3 * np.exp(-2), 1 - 2 / np.e, 1.0])


def test_confidence_falls_from_1_to_0_with_the_expected_error() -> None:
    found = within(np.geomspace(1e-3, 1e3, 50), 1.0)
    assert (np.diff(found) <= 0).all()
    assert found[0] == pytest.approx(1)
    assert found[-1] == pytest.approx(0, abs=1e-5)


def test_it_is_the_share_of_errors_of_a_laplace_distribution_in_two_dimensions() -> None:
    # Its distances are the sum of two exponential ones.
    distances = np.random.default_rng(0).exponential(0.5, (200_000, 2)).sum(1)
    assert distances.mean() == pytest.approx(1, abs=0.01)
    for limit in (0.3, 1.0, 2.5):
        assert (distances <= limit).mean() == pytest.approx(within(np.ones(1), limit)[0], abs=0.005)


def test_convention_the_size_of_a_face() -> None:
    square = np.zeros((478, 2))
    square[7] = (60.0, 100.0)
    assert frontal_eye_distance(square, FACE) == pytest.approx(53.1, abs=0.05)


def test_the_eye_distance_from_the_front_does_not_shrink_in_profile() -> None:
    first, second = FACE.anchors
    frontal = 100 * FACE.template
    true = np.linalg.norm(frontal[second, :2] - frontal[first, :2])
    assert frontal_eye_distance(frontal, FACE) == pytest.approx(true)
    turned = frontal[:, [2, 1, 0]]  # a quarter turn: depth takes the place of x
    seen = np.linalg.norm(turned[second, :2] - turned[first, :2])
    assert seen < 0.1 * true
    assert frontal_eye_distance(turned, FACE) == pytest.approx(true, rel=0.15)


def test_a_landmark_expected_at_the_tolerance_is_right_three_times_in_five() -> None:
    face = 100 * FACE.template
    limit = TOLERANCE * frontal_eye_distance(face, FACE)
    found = landmark_confidence(np.full(478, limit, np.float32), face, FACE)
    assert found.dtype == np.float32
    assert found == pytest.approx(1 - 3 * np.exp(-2), abs=1e-5)


def test_an_error_that_is_not_known_gives_no_confidence() -> None:
    errors = np.array([np.nan] * 478)
    assert np.isnan(landmark_confidence(errors, 100 * FACE.template, FACE)).all()
