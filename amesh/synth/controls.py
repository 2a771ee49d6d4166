"""Expressions as measurements of a face, such as the opening of the mouth or the height of a brow.

Convention: faces are frontal and scaled like the topology's template; lengths are in distances
between the outer eye corners. Right and left are the subject's.
"""

import numpy as np
from jaxtyping import Float

from amesh.topology import Topology

# Measured in this order. Mirroring a face swaps right and left, and the signs of SIDEWAYS.
NAMES = (
    "mouth_open",
    "mouth_width",
    "mouth_corners",
    "lips_forward",
    "upper_lip",
    "lower_lip",
    "jaw_side",
    "mouth_side",
    "right_eye_open",
    "left_eye_open",
    "right_brow",
    "left_brow",
    "brows_apart",
)
SIDEWAYS = ("jaw_side", "mouth_side")


def read(faces: Float[np.ndarray, "b n 3"], topology: Topology) -> Float[np.ndarray, "b k"]:
    """Measures the controls of frontal faces.

    Args:
        faces: All landmarks, or at least those of the mesh.
        topology: The topology of the landmarks, face478.
    """
    x, y, z = faces[..., 0], faces[..., 1], faces[..., 2]
    corners = (61, 291)
    eyes = {}
    for side, (outer, inner, top, bottom) in {
        "right": (33, 133, (160, 159, 158), (144, 145, 153)),
        "left": (263, 362, (387, 386, 385), (373, 374, 380)),
    }.items():
        level = (y[:, outer] + y[:, inner]) / 2
        brow = list(topology.contours[f"{side}_eyebrow"][1])
        eyes[side] = (
            y[:, list(bottom)].mean(1) - y[:, list(top)].mean(1),
            level - y[:, brow].mean(1),
        )
    columns = (
        y[:, 14] - y[:, 13],
        x[:, corners[1]] - x[:, corners[0]],
        y[:, list(corners)].mean(1) - y[:, [0, 17]].mean(1),
        z[:, list(corners)].mean(1) - z[:, [0, 17]].mean(1),
        y[:, 13] - y[:, 0],
        y[:, 17] - y[:, 14],
        x[:, 152],
        x[:, [0, 17, *corners]].mean(1),
        eyes["right"][0],
        eyes["left"][0],
        eyes["right"][1],
        eyes["left"][1],
        x[:, 285] - x[:, 55],
    )
    return np.stack(columns, 1)


def mirrored(controls: Float[np.ndarray, "b k"]) -> Float[np.ndarray, "b k"]:
    """Returns the controls of the mirrored faces."""
    swap = {"right": "left", "left": "right"}
    order, signs = [], []
    for name in NAMES:
        side, _, rest = name.partition("_")
        other = f"{swap[side]}_{rest}" if side in swap else name
        order.append(NAMES.index(other))
        signs.append(-1.0 if name in SIDEWAYS else 1.0)
    return np.asarray(controls[:, order] * np.array(signs))
