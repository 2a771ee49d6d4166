"""Error against how wrongly the crop was placed: a tracker's and a detector's errors, one by one.

Each labelled face is looked at through the region that its labels give, and through that region
shifted, scaled and rolled; everything else is equal.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8

from amesh.evaluation.accuracy import Group, groups, score_matched
from amesh.evaluation.labels import Label
from amesh.geometry.roi import Roi
from amesh.metrics.bootstrap import Interval, mean_interval
from amesh.topology.scheme import Topology

Model = Callable[[UInt8[np.ndarray, "h w 3"], Roi], Float[np.ndarray, "b n 3"]]

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


@dataclass(frozen=True)
class Curve:
    """Error of a group of faces against one kind of misplacement.

    Attributes:
        group: Name of the group.
        measure: What was measured.
        kind: `shift`, `scale` or `roll`.
        points: Value and mean error [%], in order of the value, the untouched region among them.
    """

    group: str
    measure: str
    kind: str
    points: tuple[tuple[float, Interval], ...]


def curves(
    labels: Sequence[Label],
    landmarks: Sequence[Float[np.ndarray, "c n 3"] | None],
    topology: Topology,
    resamples: int,
    seed: int,
) -> list[Curve]:
    """Errors against misplacement, by group and measure.

    Args:
        labels: What is known.
        landmarks: Predictions in every crop of `changes()`, for each label; None where its points
            tell no region.
        topology: Of the predictions.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
    """
    grid = changes()
    used = [i for i, face in enumerate(landmarks) if face is not None]
    kept = [labels[i] for i in used]
    scores = []
    for c in range(len(grid)):
        chosen = [face[c].astype(np.float64) for face in landmarks if face is not None]
        scores.append(score_matched(kept, chosen, topology))
    found = []
    for group in groups(kept):
        for measure in scores[0].errors if scores else ():
            table = np.stack([scored.errors[measure][group.members] for scored in scores])  # c m
            table = table[:, ~np.isnan(table[0])]
            if table.shape[1]:
                found += _curves(group, measure, grid, table, resamples, seed)
    return found


def _curves(
    group: Group,
    measure: str,
    grid: Sequence[Change],
    table: Float[np.ndarray, "c m"],
    resamples: int,
    seed: int,
) -> list[Curve]:
    """Faces are averaged over the directions of a change before they are drawn."""
    found = []
    for kind, untouched in (("shift", 0.0), ("scale", 1.0), ("roll", 0.0)):
        rows: dict[float, list[int]] = {untouched: [0]}
        for c, change in enumerate(grid):
            if change.kind == kind:
                rows.setdefault(change.value, []).append(c)
        points = [
            (value, mean_interval(table[rows[value]].mean(0), resamples=resamples, seed=seed))
            for value in sorted(rows)
        ]
        found.append(Curve(group.name, measure, kind, tuple(points)))
    return found
