"""The origin of coordinates in label files."""

from typing import Literal

Coordinates = Literal["corner", "index", "one"]

_OFFSETS: dict[Coordinates, float] = {"corner": 0.0, "index": 0.5, "one": -0.5}


def offset(coordinates: Coordinates) -> float:
    """Returns what to add to x and y to get the package's own corner coordinates [px].

    Args:
        coordinates: Position of the top-left pixel: its corner is (0, 0) for "corner"; its centre
            is (0, 0) for "index", and (1, 1) for "one", as in MATLAB.
    """
    return _OFFSETS[coordinates]
