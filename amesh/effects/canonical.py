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
# Where the irises are in the texture, by their first landmark: 0.16 away from the face.
_IRISES = {468: (0.06, 0.94), 473: (0.94, 0.94)}
_IRIS_RADIUS = 0.05


@dataclass(frozen=True, eq=False)
class CanonicalFace:
    """The average face.

    Attributes:
        points: All landmarks, in the head's axes [mm].
        uv: Places of the landmarks in a square texture, from 0 to 1, from its top left corner. The
            irises lie beside the face, in the lower corners, so that they can move in the eyes.
        rigid: Landmarks that expressions hardly move.
        triangles: The surface, counter-clockwise as seen from outside: mouth and eyes are filled,
            and the last 8 are the irises before them.
    """

    points: Float[np.ndarray, "478 3"]
    uv: Float[np.ndarray, "478 2"]
    rigid: Int[np.ndarray, " k"]
    triangles: Int[np.ndarray, "t 3"]


@cache
def canonical_face() -> CanonicalFace:
    """Reads the canonical face that comes with the package.

    Examples:
        >>> face = canonical_face()
        >>> face.points[4].round(1).tolist()  # the tip of the nose, 76 mm before the ears
        [0.0, 4.6, -75.9]
    """
    stored = resources.files("amesh.effects") / "canonical_face.npz"
    with stored.open("rb") as file, np.load(file) as data:
        points = data["vertices"].astype(np.float64) @ OPENGL * _MM_PER_CM
        uv = data["uv"].astype(np.float64)
        for centre, place in _IRISES.items():  # the file has the irises on the brow
            ring = points[centre : centre + 5, :2] - points[centre, :2]
            uv[centre : centre + 5] = place + _IRIS_RADIUS * ring / np.abs(ring).max()
        rigid, triangles = data["rigid"].astype(np.int64), data["triangles"].astype(np.int64)
        face = CanonicalFace(points, uv, rigid, triangles)
    for array in (face.points, face.uv, face.rigid, face.triangles):
        array.flags.writeable = False
    return face
