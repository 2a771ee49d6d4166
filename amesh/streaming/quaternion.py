"""Angles of heads and gazes as quaternions."""

import math


def quaternion(yaw: float, pitch: float, roll: float = 0.0) -> tuple[float, float, float, float]:
    """The quaternion (x, y, z, w) of `yaw @ pitch @ roll`; w is not negative.

    Args:
        yaw: Positive to the picture's right [degrees]: a negative turn about y, which points down.
        pitch: Positive down [degrees]: a positive turn about x, which points right.
        roll: Positive clockwise [degrees]: a positive turn about z, which points into the picture.

    Examples:
        >>> [round(one, 3) for one in quaternion(90, 0)]
        [0.0, -0.707, 0.0, 0.707]
    """
    half = (math.radians(-yaw) / 2, math.radians(pitch) / 2, math.radians(roll) / 2)
    (cy, cx, cz), (sy, sx, sz) = map(math.cos, half), map(math.sin, half)
    x = cy * sx * cz + sy * cx * sz
    y = sy * cx * cz - cy * sx * sz
    z = cy * cx * sz - sy * sx * cz
    w = cy * cx * cz + sy * sx * sz
    return (x, y, z, w) if w >= 0 else (-x, -y, -z, -w)
