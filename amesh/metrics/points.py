"""Distances between predicted landmarks and ground truth. NumPy, double precision."""

import numpy as np
from jaxtyping import Float, Int


def distances(
    predicted: Float[np.ndarray, "*b n d"], truth: Float[np.ndarray, "*b n d"]
) -> Float[np.ndarray, "*b n"]:
    """Returns each landmark's Euclidean distance to ground truth, in the coordinates' unit."""
    return np.asarray(np.linalg.norm(predicted - truth, axis=-1))


def nme(
    predicted: Float[np.ndarray, "*b n d"],
    truth: Float[np.ndarray, "*b n d"],
    normaliser: Float[np.ndarray, "*b"],
) -> Float[np.ndarray, "*b"]:
    """Returns the normalised mean error of each face: its mean distance / normaliser [%].

    Args:
        predicted: Predicted landmarks.
        truth: Ground truth.
        normaliser: One length per face, such as the distance between the outer eye corners, in
            the unit of the coordinates.
    """
    return np.asarray(100 * distances(predicted, truth).mean(-1) / normaliser)


def point_to_polyline(
    points: Float[np.ndarray, "*b p 2"], line: Float[np.ndarray, "*b q 2"]
) -> Float[np.ndarray, "*b p"]:
    """Returns the distance of each point to the nearest position on a polyline.

    It does not depend on the number and positions of the line's vertices, so an outline can be
    scored against annotations that place different points on the same outline.

    Args:
        points: The points.
        line: Two or more vertices in order; a closed line repeats its first vertex at the end.

    Raises:
        ValueError: The line has fewer than two vertices.
    """
    return np.asarray(_to_segments(points, line)[0].min(-1))


def nearest_on_polyline(
    points: Float[np.ndarray, "p 2"], line: Float[np.ndarray, "q 2"]
) -> tuple[Int[np.ndarray, " p"], Float[np.ndarray, " p"]]:
    """Returns the position on a polyline that is nearest to each point.

    Returns:
        Indices of the vertices at which the nearest segments start, and positions on these
        segments, from 0 at that vertex to 1 at the next.

    Raises:
        ValueError: The line has fewer than two vertices.
    """
    distance, position = _to_segments(points, line)
    segment = distance.argmin(-1)
    return segment, np.take_along_axis(position, segment[:, None], -1)[:, 0]


def _to_segments(
    points: Float[np.ndarray, "*b p 2"], line: Float[np.ndarray, "*b q 2"]
) -> tuple[Float[np.ndarray, "*b p s"], Float[np.ndarray, "*b p s"]]:
    """Returns each point's distance to each segment and its nearest position there, 0 to 1."""
    if line.shape[-2] < 2:
        raise ValueError(f"expected a line of 2 or more vertices, found {line.shape[-2]}")
    start = line[..., None, :-1, :]  # *b 1 q-1 2
    along = line[..., None, 1:, :] - start
    offset = points[..., :, None, :] - start  # *b p q-1 2
    squared = (along**2).sum(-1)
    # If two vertices coincide, their segment has no length: the nearest position is its start.
    position = ((offset * along).sum(-1) / np.where(squared > 0, squared, 1)).clip(0, 1)
    distance = np.linalg.norm(offset - position[..., None] * along, axis=-1)
    return np.asarray(distance), np.asarray(position)
