"""The neck below a fitted head, and shoulders where the picture ends above them.

They stay where they are when the head turns.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int64

from amesh.synth.grids import grid

_ROUND = 20
# Rows of the neck and of the shoulders [units of the head]: height, half width, half depth, depth
# of the axis.
_NECK = np.array([[0.3, 0.6, 0.58, 0.86], [1.0, 0.6, 0.58, 0.86], [1.15, 0.6, 0.58, 0.86]])
_BELOW = np.array([[1.4, 0.62, 0.6, 0.9]])
_SHOULDERS = np.array(
    [[1.7, 0.95, 0.7, 1.0], [1.95, 1.7, 0.8, 1.05], [2.4, 2.2, 0.9, 1.05], [5.0, 2.5, 1.1, 1.05]]
)
_FIRST = len(_NECK) + len(_BELOW)  # row of the shoulders
# Opacity of the neck's last rows if the picture's own neck goes on below.
_LOW, _LAST = 0.8, 0.0
# Half the width of the mean head, which the rows are for.
_WIDTH = 0.79
# Colour of the neck, which is in shadow, relative to the cheeks.
SHADE = 0.7
# Shoulders are added where the picture ends above this height.
_ENDS = 1.7
# Share of the picture's height at its lower edge that gives shoulders their colour.
_STRIP = 0.06


class Body(NamedTuple):
    """Neck and shoulders of a head; see `Head` for the parts.

    Attributes:
        vertices: (m, 3) in the head's frame.
        place: (m, 2) [picture px].
        shade: (m,).
        cover: (m,).
    """

    vertices: Float[np.ndarray, "m 3"]
    place: Float[np.ndarray, "m 2"]
    shade: Float[np.ndarray, " m"]
    cover: Float[np.ndarray, " m"]


def body_triangles(start: int) -> Int64[np.ndarray, "t 3"]:
    """Returns the triangles of all bodies, whose first vertex is `start`."""
    rows = len(_NECK) + len(_BELOW) + len(_SHOULDERS)
    return grid(start + np.arange(rows * _ROUND).reshape(-1, _ROUND))


def make_body(
    width: float,
    cheek: Float[np.ndarray, " 2"],
    patch: float,
    size: tuple[int, int],
    ends: float,
) -> Body:
    """Makes a body.

    Args:
        width: Half the width of the face [units of the head].
        cheek: The middle of plain skin [picture px].
        patch: Half the side of this skin [px].
        size: Height and width of the picture [px].
        ends: Height at which the picture ends below the face [units of the head].
    """
    rows = np.concatenate([_NECK, _BELOW, _SHOULDERS])
    angle = np.arange(_ROUND) * (2 * math.pi / _ROUND)
    across, ahead = np.sin(angle), np.cos(angle)
    x = rows[:, 1:2] * (width / _WIDTH) * across
    z = rows[:, 3:] - rows[:, 2:3] * ahead
    y = np.repeat(rows[:, :1], _ROUND, 1)
    vertices = np.stack([x, y, z], -1)
    skin = cheek + patch * np.stack([np.tile(across, (len(rows), 1)), (y - 0.9) / 0.6], -1)
    place, shade, cover = skin, np.full(y.shape, SHADE), np.ones(y.shape)
    if ends < _ENDS:
        # The lower edge of the picture goes on downwards.
        height, wide = size
        edge = np.stack([(0.5 + 0.45 * x / rows[-1, 1]) * wide, height - _strip(y) * height], -1)
        place = skin.copy()
        place[_FIRST:] = edge[_FIRST:]
        shade[_FIRST:] = 1.0
    else:
        cover[_FIRST - 2], cover[_FIRST - 1] = _LOW, _LAST
        vertices[_FIRST:], cover[_FIRST:] = vertices[_FIRST - 1, 0], 0.0
    return Body(vertices.reshape(-1, 3), place.reshape(-1, 2), shade.ravel(), cover.ravel())


def _strip(y: Float[np.ndarray, "r k"]) -> Float[np.ndarray, "r k"]:
    return np.asarray(_STRIP * (1 - (y - 1.4).clip(0, 2) / 2.2))
