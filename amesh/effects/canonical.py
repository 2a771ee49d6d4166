"""MediaPipe's canonical face: an average face in millimetres, and which of its points are rigid.

Convention
    The head's axes agree with the camera's for a face that looks straight into the camera: x to
    the subject's left (right in the picture), y down, z into the head. The origin is the canonical
    face's own, inside the head between the ears.
"""

from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from jaxtyping import Float, Int

# From the axes of the file (x right, y up, z towards the viewer, as in OpenGL) to those of OpenCV.
OPENGL = np.diag([1.0, -1.0, -1.0])
_MM_PER_CM = 10.0


@dataclass(frozen=True, eq=False)
class CanonicalFace:
    """The average face.

    Attributes:
        points: All landmarks, in the head's axes [mm].
        uv: Places of the landmarks in a square texture, from 0 to 1, from its top left corner.
            Those of the irises (468 and above) are not on the face.
        rigid: Landmarks that expressions hardly move.
    """

    points: Float[np.ndarray, "478 3"]
    uv: Float[np.ndarray, "478 2"]
    rigid: Int[np.ndarray, " k"]


@cache
def canonical_face() -> CanonicalFace:
    """Reads the canonical face that comes with the package.

    Examples:
        >>> face = canonical_face()
        >>> face.points[4].round(1).tolist()  # the tip of the nose, 76 mm before the ears
        [0.0, 4.6, -75.9]
    """
    place = resources.files("amesh.effects") / "canonical_face.npz"
    with place.open("rb") as file, np.load(file) as data:
        points = data["vertices"].astype(np.float64) @ OPENGL * _MM_PER_CM
        uv = data["uv"].astype(np.float64)
        face = CanonicalFace(points, uv, data["rigid"].astype(np.int64))
    for array in (face.points, face.uv, face.rigid):
        array.flags.writeable = False
    return face
