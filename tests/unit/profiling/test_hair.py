import cv2
import numpy as np
import pytest

from amesh.profiling.hair import Rays, ends_of, reach


def rays(radius: float, skull: float) -> Rays:
    angle = np.linspace(-np.pi, np.pi, 36, endpoint=False)
    out = np.stack([np.sin(angle), -np.cos(angle)], -1)
    return Rays(np.array([150.0, 150.0]) + radius * out, out, np.full(36, skull))


@pytest.mark.parametrize("hair", [12, 24])
def test_a_dark_head_before_a_light_wall_ends_where_it_ends(hair: int) -> None:
    pixels = np.full((300, 300, 3), 210, np.uint8)
    cv2.circle(pixels, (150, 150), 60 + hair, (40, 30, 20), -1)
    found = reach(pixels, rays(60.0, 18.0), scale=80.0)
    np.testing.assert_allclose(found, hair, atol=4.0)


def test_the_skull_counts_where_the_picture_ends() -> None:
    pixels = np.full((215, 300, 3), 210, np.uint8)
    cv2.circle(pixels, (150, 150), 72, (40, 30, 20), -1)
    found = reach(pixels, rays(60.0, 18.0), scale=80.0)
    assert found[0] == 18.0  # downwards, where the picture's border is
    assert found[18] == pytest.approx(12.0, abs=4.0)  # upwards


def test_a_head_ends_before_two_places_of_background_in_a_row() -> None:
    shown = np.array([[1, 0, 1, 0, 0], [0, 1, 1, 1, 0]], bool)  # the last place has no next one
    np.testing.assert_array_equal(ends_of(shown), [[0, 0, 0, 1, 0], [0, 0, 0, 0, 0]])
