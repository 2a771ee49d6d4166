"""Batches of 2 x 3 affine matrices, as arrays of NumPy or PyTorch.

Convention:
    - a matrix [[a, b, t_x], [c, d, t_y]] multiplies the column (x, y, 1): x' = a x + b y + t_x
    - names state the direction: `image_from_crop` maps crop coordinates to image coordinates,
      and `compose(image_from_crop, crop_from_map)` maps map coordinates to image coordinates
"""

from jaxtyping import Float

from amesh.geometry.arrays import Array, namespace


def apply(affine: Float[Array, "*b 2 3"], points: Float[Array, "*b n 2"]) -> Float[Array, "*b n 2"]:
    """Transforms points by the affine of their batch entry.

    Examples:
        >>> import numpy as np
        >>> image_from_crop = np.array([[2.0, 0.0, 108.0], [0.0, 2.0, 8.0]])
        >>> apply(image_from_crop, np.array([[0.0, 0.0], [96.0, 96.0]]))
        array([[108.,   8.],
               [300., 200.]])
    """
    linear, shift = affine[..., :2], affine[..., 2]
    return points @ linear.swapaxes(-1, -2) + shift[..., None, :]


def compose(outer: Float[Array, "*b 2 3"], inner: Float[Array, "*b 2 3"]) -> Float[Array, "*b 2 3"]:
    """Returns the affine that applies `inner` first, then `outer`.

    Examples:
        >>> import numpy as np
        >>> double = np.array([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
        >>> shift = np.array([[1.0, 0.0, 3.0], [0.0, 1.0, 4.0]])
        >>> compose(double, shift)
        array([[2., 0., 6.],
               [0., 2., 8.]])
    """
    linear = outer[..., :2] @ inner[..., :2]
    shift = outer[..., :2] @ inner[..., 2:] + outer[..., 2:]
    return namespace(outer).concatenate([linear, shift], -1)


def invert(affine: Float[Array, "*b 2 3"]) -> Float[Array, "*b 2 3"]:
    """Returns the inverse affine; infinite where the matrix is singular.

    Examples:
        >>> import numpy as np
        >>> image_from_crop = np.array([[2.0, 0.0, 108.0], [0.0, 2.0, 8.0]])
        >>> apply(invert(image_from_crop), np.array([[300.0, 200.0]]))
        array([[96., 96.]])
    """
    xp = namespace(affine)
    a, b, c, d = affine[..., 0, 0], affine[..., 0, 1], affine[..., 1, 0], affine[..., 1, 1]
    rows = xp.stack([xp.stack([d, -b], -1), xp.stack([-c, a], -1)], -2)
    linear = rows / (a * d - b * c)[..., None, None]
    return xp.concatenate([linear, -linear @ affine[..., 2:]], -1)


def similarity(
    centre: Float[Array, "*b 2"], direction: Float[Array, "*b 2"], scale: Float[Array, "*b 2"]
) -> Float[Array, "*b 2 3"]:
    """Returns the affine that scales each axis, rotates x onto `direction` and moves to `centre`.

    Args:
        centre: Image of (0, 0).
        direction: Unit vector that (1, 0) is rotated to; (0, 1) is rotated to its normal
            (-y, x), which is clockwise on a screen.
        scale: Lengths of the images of the x axis and the y axis.

    Examples:
        >>> import numpy as np
        >>> centre, right = np.array([300.0, 200.0]), np.array([1.0, 0.0])
        >>> similarity(centre, right, np.array([2.0, 2.0]))
        array([[  2.,  -0., 300.],
               [  0.,   2., 200.]])
    """
    xp = namespace(centre)
    normal = xp.stack([-direction[..., 1], direction[..., 0]], -1)
    columns = [direction * scale[..., :1], normal * scale[..., 1:], centre]
    return xp.stack(columns, -1)
