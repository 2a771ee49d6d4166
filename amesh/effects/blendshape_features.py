"""What our blendshape network sees of a face: its landmarks without pose, place and size."""

import numpy as np
from jaxtyping import Float32, Float64

from amesh.effects.alignment import align
from amesh.effects.canonical import canonical_face

COUNT = 2 * 478


def features(faces: Float64[np.ndarray, "b 478 3"]) -> Float32[np.ndarray, "b 956"]:
    """How far landmarks are from those of the canonical face, seen from the front [mm].

    Each face is turned, moved and scaled so that its rigid landmarks are as near as possible to the
    canonical ones; of the result, x and y are kept. Depth is what networks know least, and serves
    only to turn the face.

    Args:
        faces: Finite landmarks [image px].
    """
    to_canonical = align(faces)
    with np.errstate(invalid="ignore"):  # coincident points give NaN
        turned = (faces - to_canonical.centre) @ to_canonical.rotation[:, :, :2]
        away = turned * to_canonical.scale[:, None, None]
        away += (to_canonical.goal - canonical_face().points)[:, :2]
    return np.asarray(away.reshape(len(faces), COUNT), np.float32)
