import numpy as np
import pytest

from amesh.profiling.background import fill


def test_known_pixels_stay_and_a_hole_takes_the_colour_around_it() -> None:
    picture = np.full((33, 40, 3), 80.0, np.float32)
    picture[:, :, 1] = 10.0
    known = np.ones((33, 40), np.float32)
    picture[8:20, 10:30], known[8:20, 10:30] = 255.0, 0.0
    filled = fill(picture, known)
    assert filled.shape == picture.shape
    np.testing.assert_allclose(filled, np.full_like(picture, 1) * [80.0, 10.0, 80.0], atol=0.1)


def test_a_hole_between_two_colours_takes_those_between() -> None:
    picture = np.zeros((32, 48, 3), np.float32)
    picture[:, 24:] = 100.0
    known = np.ones((32, 48), np.float32)
    known[:, 12:36] = 0.0
    across = fill(picture, known)[16, :, 0]
    assert across[:12] == pytest.approx(0.0, abs=1e-4)
    assert across[36:] == pytest.approx(100.0, abs=1e-4)
    assert (np.diff(across) > -1.0).all()
    assert 30 < across[23:25].mean() < 70


def test_nothing_known_gives_finite_pixels() -> None:
    filled = fill(np.full((9, 7, 3), 50.0, np.float32), np.zeros((9, 7), np.float32))
    assert np.isfinite(filled).all()
