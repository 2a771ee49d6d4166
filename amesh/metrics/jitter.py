"""Jitter: how much landmarks shake from frame to frame while the face is still. NumPy.

Jitter is the distance from a fit over time that has no lag (`motion`), scaled so that independent
errors of single frames give the root mean square distance of a landmark from its true place. Slow
drift is not jitter, and neither is motion that a parabola follows.
"""

import numpy as np
from jaxtyping import Float

from amesh.metrics.motion import HALF, Motion


def jitter(
    points: Float[np.ndarray, "t n d"], motion: Motion, length: float
) -> Float[np.ndarray, "u n"]:
    """Jitter of each landmark in each frame that has a fit [% of the length]; u = t - 8.

    Args:
        points: Landmarks of consecutive frames [px].
        motion: Their own fit.
        length: Such as the distance between the eyes [px].
    """
    apart = points[HALF : HALF + len(motion.times)] - motion.position
    distance = np.linalg.norm(apart, axis=-1)
    return np.asarray(100 * distance / np.sqrt(1 - motion.weight)[:, None] / length)


def steps(points: Float[np.ndarray, "t n d"], length: float) -> Float[np.ndarray, " s"]:
    """How far landmarks move from each frame to the next [% of the length]; s = t - 1.

    Root mean square over the landmarks. Unlike jitter, this counts every motion.
    """
    squared = (np.diff(points, axis=0) ** 2).sum(-1).mean(-1)
    return np.asarray(100 * np.sqrt(squared) / length)
