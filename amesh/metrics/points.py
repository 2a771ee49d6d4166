"""Distances between landmarks and their truth. NumPy, double precision, no I/O."""

import numpy as np
from jaxtyping import Float, Int


def distances(
    predicted: Float[np.ndarray, "*b n d"], truth: Float[np.ndarray, "*b n d"]
) -> Float[np.ndarray, "*b n"]:
    """Euclidean distance of each landmark to its truth, in the unit of the coordinates."""
    return np.asarray(np.linalg.norm(predicted - truth, axis=-1))


def nme(
    predicted: Float[np.ndarray, "*b n d"],
    truth: Float[np.ndarray, "*b n d"],
    normaliser: Float[np.ndarray, "*b"],
) -> Float[np.ndarray, "*b"]:
    """Normalised mean error of each face: mean distance over its landmarks / normaliser [%].

    Args:
        predicted: Landmarks.
        truth: Where they should be.
        normaliser: One length for each face, such as the distance between the outer eye corners,
            in the unit of the coordinates.
    """
    return np.asarray(100 * distances(predicted, truth).mean(-1) / normaliser)


def point_to_polyline(
    points: Float[np.ndarray, "*b p 2"], line: Float[np.ndarray, "*b q 2"]
) -> Float[np.ndarray, "*b p"]:
    """Distance of each point to the nearest place on a polyline.

    Independent of how many points the line is described by and of where on it they lie; so an
    outline can be scored against labels that put other points on the same outline.

    Args:
        points: The points.
        line: Two corners or more, in order; a closed line repeats its first corner at the end.
    """
    return np.asarray(_to_segments(points, line)[0].min(-1))


def nearest_on_polyline(
    points: Float[np.ndarray, "p 2"], line: Float[np.ndarray, "q 2"]
) -> tuple[Int[np.ndarray, " p"], Float[np.ndarray, " p"]]:
    """The place on a polyline that is nearest to each point.

    Returns:
        Numbers of the corners that the nearest segments start at, and the places on these segments,
        from 0 at that corner to 1 at the next.
    """
    distance, position = _to_segments(points, line)
    segment = distance.argmin(-1)
    return segment, np.take_along_axis(position, segment[:, None], -1)[:, 0]


def _to_segments(
    points: Float[np.ndarray, "*b p 2"], line: Float[np.ndarray, "*b q 2"]
) -> tuple[Float[np.ndarray, "*b p s"], Float[np.ndarray, "*b p s"]]:
    """Distance of each point to each segment of a line, and the nearest place on it, 0 to 1."""
    if line.shape[-2] < 2:
        raise ValueError(f"expected a line of 2 corners or more, found {line.shape[-2]}")
    start = line[..., None, :-1, :]  # *b 1 q-1 2
    along = line[..., None, 1:, :] - start
    offset = points[..., :, None, :] - start  # *b p q-1 2
    squared = (along**2).sum(-1)
    # Corners that coincide make a segment without length: its nearest place is its start.
    position = ((offset * along).sum(-1) / np.where(squared > 0, squared, 1)).clip(0, 1)
    distance = np.linalg.norm(offset - position[..., None] * along, axis=-1)
    return np.asarray(distance), np.asarray(position)
