"""Expressions as numbers read off a face: how far the mouth is open, how high a brow is.

Convention: a face is turned to the front and scaled as the topology's template; lengths are in
distances between the outer eye corners. Right and left are the subject's.
"""

import numpy as np
from jaxtyping import Float

from amesh.topology import Topology

# Read in this order; a mirrored face exchanges right with left and the sign of SIDEWAYS.
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
    """The controls of faces turned to the front.

    Args:
        faces: All landmarks, or at least those of the mesh.
        topology: Face478, whose points these are.
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
    """What the same faces would give in a mirror."""
    swap = {"right": "left", "left": "right"}
    order, signs = [], []
    for name in NAMES:
        side, _, rest = name.partition("_")
        other = f"{swap[side]}_{rest}" if side in swap else name
        order.append(NAMES.index(other))
        signs.append(-1.0 if name in SIDEWAYS else 1.0)
    return np.asarray(controls[:, order] * np.array(signs))
