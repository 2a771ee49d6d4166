"""Squares of a picture: anywhere in it, around faces but badly placed, and where detectors fire."""

import numpy as np
from jaxtyping import Bool, Float

# Side of a square relative to the picture's shorter side.
_SMALLEST, _LARGEST = 0.1, 0.7
# A square is well placed on a face if its side is less than this many times larger or smaller, and
# the distance of the centres below this share of the larger side. Tracking stays within that.
_SCALE, _SHIFT = 2.2, 0.5
# How far squares that a detector proposes are shaken: as a logarithm of the side, and in sides.
_SHAKEN, _MOVED = 0.3, 0.2
Faces = Float[np.ndarray, "f 4"]
Squares = Float[np.ndarray, "n 4"]


def anywhere(width: int, height: int, count: int, random: np.random.Generator) -> Squares:
    """Draws squares within a picture: left, top, right, bottom [px].

    Args:
        width: Of the picture [px].
        height: Of the picture [px].
        count: Number of squares.
        random: Source of randomness.
    """
    sides = random.uniform(_SMALLEST, _LARGEST, count) * min(height, width)
    corners = random.uniform(0, 1, (count, 2)) * (np.array([width, height]) - sides[:, None])
    return np.concatenate([corners, corners + sides[:, None]], 1)


def misplaced(faces: Faces, count: int, random: np.random.Generator) -> Squares:
    """Draws squares that show a face much too small, a part of one too large, or one cut off.

    Args:
        faces: Boxes of the faces, at least one [px].
        count: Number of squares.
        random: Source of randomness.
    """
    centre, side = _middle_and_side(faces[random.integers(len(faces), size=count)])
    small, part = 1 / random.uniform(0.2, 0.42, count), random.uniform(0.15, 0.42, count)
    beside = np.exp(random.uniform(-0.4, 0.5, count))
    kind = random.integers(3, size=count)
    scale = np.choose(kind, [small, part, beside])
    # In sides of the square, of the face, and of the larger of both.
    unit = np.choose(kind, [scale, np.ones(count), scale.clip(1)]) * side
    low, high = np.choose(kind, [0.0, 0.0, 0.55]), np.choose(kind, [0.4, 0.5, 1.1])
    away = random.uniform(low, high) * unit
    angle = random.uniform(0, 2 * np.pi, count)
    centre = centre + away[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    return _squares(centre, side * scale)


def shaken(boxes: Faces, count: int, random: np.random.Generator) -> Squares:
    """Draws squares near boxes, `count` for each.

    Args:
        boxes: What a detector proposes [px].
        count: Number of squares for each box.
        random: Source of randomness.
    """
    centre, side = _middle_and_side(np.repeat(boxes, count, 0))
    moved = centre + random.uniform(-_MOVED, _MOVED, centre.shape) * side[:, None]
    return _squares(moved, side * np.exp(random.uniform(-_SHAKEN, _SHAKEN, side.shape)))


def well_placed(squares: Squares, faces: Faces) -> Bool[np.ndarray, " n"]:
    """Flags squares that might serve as the region of one of the faces."""
    (middle, side), (centre, size) = _middle_and_side(squares), _middle_and_side(faces)
    larger = np.maximum(side[:, None], size)
    apart = np.linalg.norm(middle[:, None] - centre, axis=2) / larger
    alike = larger / np.minimum(side[:, None], size)
    near: Bool[np.ndarray, " n"] = ((apart < _SHIFT) & (alike < _SCALE)).any(1)
    return near


def _middle_and_side(boxes: Squares) -> tuple[np.ndarray, np.ndarray]:
    return (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).max(1)


def _squares(centre: Float[np.ndarray, "n 2"], side: Float[np.ndarray, " n"]) -> Squares:
    half = side[:, None] / 2
    return np.concatenate([centre - half, centre + half], 1)
