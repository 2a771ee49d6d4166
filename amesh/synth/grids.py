"""Triangulations of rows of vertices."""

import numpy as np
from jaxtyping import Int64


def grid(rows: np.ndarray, closed: bool = True) -> Int64[np.ndarray, "t 3"]:
    """Returns triangles between adjacent rows of vertices; closed rows wrap around."""
    following = np.roll(rows, -1, 1) if closed else rows[:, 1:]
    here = rows if closed else rows[:, :-1]
    quads = [(here[:-1], here[1:], following[:-1]), (following[:-1], here[1:], following[1:])]
    return np.concatenate([np.stack(q, -1).reshape(-1, 3) for q in quads])


def fan(row: np.ndarray, pole: int) -> Int64[np.ndarray, "t 3"]:
    """Returns triangles from a closed row to one vertex."""
    return np.stack([row, np.full_like(row, pole), np.roll(row, -1)], -1)
