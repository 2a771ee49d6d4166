"""Regions of interest placed as wrongly as trackers and detectors may place them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from amesh.geometry.roi import Roi

SHIFTS = (5.0, 10.0, 15.0, 20.0)  # [% of the side], each left, right, up and down
SCALES = (0.7, 0.8, 0.9, 1.1, 1.2, 1.3, 1.4)
ROLLS = (15.0, 30.0, 45.0)  # [degrees], each both ways


@dataclass(frozen=True)
class Perturbation:
    """One way of misplacing a region of interest.

    Attributes:
        kind: `none`, `shift` [% of the side], `scale` [times the side] or `roll` [degrees].
        value: By how much, in the unit of the kind.
        right: Shift along the region's x axis [sides].
        down: Shift along its y axis [sides].
        scale: Factor on its side.
        roll: Rotation, clockwise on the screen [radians].
    """

    kind: str
    value: float
    right: float = 0.0
    down: float = 0.0
    scale: float = 1.0
    roll: float = 0.0


def perturbations() -> list[Perturbation]:
    """All that are measured; the first leaves the region as it is."""
    directions = ((1, 0), (-1, 0), (0, 1), (0, -1))
    grid = [Perturbation("none", 0.0)]
    grid += [
        Perturbation("shift", value, right=x * value / 100, down=y * value / 100)
        for value in SHIFTS
        for x, y in directions
    ]
    grid += [Perturbation("scale", value, scale=value) for value in SCALES]
    grid += [
        Perturbation("roll", value, roll=sign * float(np.deg2rad(value)))
        for value in ROLLS
        for sign in (1, -1)
    ]
    return grid


def perturb(roi: Roi, grid: Sequence[Perturbation]) -> Roi:
    """A region, a batch of one, perturbed in every way of the grid."""
    angle = np.array([one.roll for one in grid]) + roi.angle
    size = np.array([one.scale for one in grid]) * roi.size
    steps = np.array([(one.right, one.down) for one in grid]) * roi.size
    [cos], [sin] = np.cos(roi.angle), np.sin(roi.angle)
    turn = np.array([[cos, -sin], [sin, cos]])
    return Roi(roi.centre + steps @ turn.T, size, angle)
