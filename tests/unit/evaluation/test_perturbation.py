import numpy as np
import pytest

from amesh.evaluation.perturbation import Perturbation, perturb, perturbations
from amesh.geometry.roi import Roi, image_from_crop

ROI = Roi.at(50, 40, 20, np.pi / 2)


def test_grid_is_balanced_and_starts_with_no_change() -> None:
    grid = perturbations()
    assert grid[0] == Perturbation("none", 0.0)
    assert max(abs(one.right) for one in grid) == pytest.approx(0.2)
    assert (min(c.scale for c in grid), max(c.scale for c in grid)) == (0.7, 1.4)
    assert max(abs(one.roll) for one in grid) == pytest.approx(np.pi / 4)
    for part in ("right", "down", "roll"):
        assert sum(getattr(one, part) for one in grid) == pytest.approx(0.0)


def test_shift_goes_along_the_axes_of_the_crop() -> None:
    # Turned by 90 degrees, the crop's x axis points down the picture, its y axis to the left.
    found = perturb(
        ROI, [Perturbation("shift", 10, right=0.1), Perturbation("shift", 10, down=0.1)]
    )
    np.testing.assert_allclose(found.centre, [[50, 42], [48, 40]], atol=1e-12)
    matrix = image_from_crop(ROI, 100)[0]
    for centre, crop in zip(found.centre, [(60, 50, 1), (50, 60, 1)], strict=True):
        np.testing.assert_allclose(matrix @ crop, centre, atol=1e-12)


def test_scale_and_roll_keep_the_centre() -> None:
    found = perturb(
        ROI, [Perturbation("scale", 1.4, scale=1.4), Perturbation("roll", 30, roll=np.pi / 6)]
    )
    np.testing.assert_allclose(found.centre, [[50, 40], [50, 40]])
    np.testing.assert_allclose(found.size, [28, 20])
    np.testing.assert_allclose(found.angle, [np.pi / 2, np.pi / 2 + np.pi / 6])
