"""Crops placed as wrongly as trackers and detectors place them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from amesh.geometry.roi import Roi

SHIFTS = (5.0, 10.0, 15.0, 20.0)  # [% of the side], each to the left, right, up and down


SCALES = (0.7, 0.8, 0.9, 1.1, 1.2, 1.3, 1.4)


ROLLS = (15.0, 30.0, 45.0)  # [degrees], each both ways


@dataclass(frozen=True)
class Change:
    """One way of misplacing a crop.

    Attributes:
        kind: `none`, `shift` [% of the side], `scale` [times the side] or `roll` [degrees].
        value: How far.
        right: Shift along the crop's x axis [sides].
        down: Shift along its y axis [sides].
        scale: Of its side.
        roll: Clockwise on the screen [radians].
    """

    kind: str
    value: float
    right: float = 0.0
    down: float = 0.0
    scale: float = 1.0
    roll: float = 0.0


def changes() -> list[Change]:
    """The grid, the untouched region first."""
    directions = ((1, 0), (-1, 0), (0, 1), (0, -1))
    grid = [Change("none", 0.0)]
    grid += [
        Change("shift", value, right=x * value / 100, down=y * value / 100)
        for value in SHIFTS
        for x, y in directions
    ]
    grid += [Change("scale", value, scale=value) for value in SCALES]
    grid += [
        Change("roll", value, roll=sign * float(np.deg2rad(value)))
        for value in ROLLS
        for sign in (1, -1)
    ]
    return grid


def misplace(roi: Roi, grid: Sequence[Change]) -> Roi:
    """A region, a batch of one, misplaced in every way of the grid."""
    angle = roi.angle.new_tensor([change.roll for change in grid]) + roi.angle
    size = roi.size.new_tensor([change.scale for change in grid]) * roi.size
    steps = roi.centre.new_tensor([(change.right, change.down) for change in grid]) * roi.size
    cos, sin = roi.angle.cos(), roi.angle.sin()
    turn = torch.stack([torch.cat([cos, -sin]), torch.cat([sin, cos])])
    return Roi(roi.centre + steps @ turn.T, size, angle)
