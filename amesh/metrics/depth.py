"""How well predicted depth agrees with true depth, for one face. NumPy.

The zero of a network's depth has no meaning, so the mean over the face is taken off both first.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class DepthAgreement(NamedTuple):
    """Predicted against true depth.

    Attributes:
        rms: Root mean square of the difference, in the unit of the depths.
        correlation: Pearson's, over the points; NaN where either side is flat.
        slope: Of the straight line through predicted over true depth; below 1, the predicted face
            is too flat. NaN where the true one is flat.
    """

    rms: float
    correlation: float
    slope: float


def depth_agreement(
    predicted: Float[np.ndarray, " n"], truth: Float[np.ndarray, " n"]
) -> DepthAgreement:
    """Compares the depths of the points of one face.

    Examples:
        >>> found = depth_agreement(np.array([5.0, 6.0, 7.0]), np.array([0.0, 2.0, 4.0]))
        >>> found.slope, round(found.correlation, 6)
        (0.5, 1.0)
    """
    ours, theirs = predicted - predicted.mean(), truth - truth.mean()
    shared, own, true = float(ours @ theirs), float(ours @ ours), float(theirs @ theirs)
    return DepthAgreement(
        rms=float(np.sqrt(((ours - theirs) ** 2).mean())),
        correlation=shared / math.sqrt(own * true) if own * true > 0 else float("nan"),
        slope=shared / true if true > 0 else float("nan"),
    )
