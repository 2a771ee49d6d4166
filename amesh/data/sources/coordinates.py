"""What the coordinates in a label file count from."""

from typing import Literal

Coordinates = Literal["corner", "index", "one"]

_OFFSETS: dict[Coordinates, float] = {"corner": 0.0, "index": 0.5, "one": -0.5}


def offset(coordinates: Coordinates) -> float:
    """What to add to x and y to get the package's own corner coordinates [px].

    Args:
        coordinates: Where the top-left pixel lies: its corner at (0, 0) for "corner", its centre at
            (0, 0) for "index" or at (1, 1) for "one", as MATLAB counts.
    """
    return _OFFSETS[coordinates]
