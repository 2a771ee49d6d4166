"""ARKit's expressions as morph targets of a face: how its landmarks move for each of the names.

The movements are those of ICT-FaceKit's average face, turned and scaled to the face. Lids are the
face's own: they meet where its eyes are open, and the irises end between them.
"""

from functools import cache
from importlib import resources

import numpy as np
from jaxtyping import Float, Float64

from amesh.effects.alignment import align
from amesh.effects.blendshapes import NAMES
from amesh.effects.landmarks import as_face
from amesh.errors import UserError
from amesh.topology import load
from amesh.topology.lids import Lids, eye_lids

SHAPES = "face_shapes.npz"  # written by `python -m amesh.training.face_shapes`
_SIDES = ("Right", "Left")  # the subject's, in the topology's order of irises


def morph_targets(
    landmarks: Float[np.ndarray, "478 3"],
) -> dict[str, Float64[np.ndarray, "478 3"]]:
    """How the landmarks of a face move when it makes each expression fully.

    Values of `Blendshapes` are the weights. All names but tongueOut, which landmarks do not show.

    Args:
        landmarks: Of one face, best at rest: x right, y down, z away [any unit].

    Returns:
        The movements, in the unit and axes of the landmarks, as `write_mesh` takes them.

    Raises:
        UserError: The landmarks are not those of one face, or lie in one point.

    Examples:
        >>> from amesh.effects.canonical import canonical_face
        >>> targets = morph_targets(canonical_face().points)
        >>> len(targets)
        51
        >>> bool(targets["jawOpen"][152, 1] > 15)  # the chin moves down [mm]
        True
    """
    face = as_face(landmarks)
    centre, rotation, scale, goal = align(face[None])
    if not np.isfinite(scale).all():
        raise UserError("the landmarks lie in one point; there is no face to move")
    head = (face - centre[0]) @ rotation[0] * scale[0] + goal
    moves = _shapes().copy()
    for side, lids, iris in zip(_SIDES, eye_lids(load()), load().irises, strict=True):
        place = NAMES.index(f"eyeBlink{side}")
        moves[place] = _closing(head, moves[place], lids, list(iris.indices))
    moves = moves @ rotation[0].T / scale[0]
    return dict(zip(NAMES[:-1], moves, strict=True))


def _closing(
    head: Float64[np.ndarray, "478 3"],
    move: Float64[np.ndarray, "478 3"],
    lids: Lids,
    iris: list[int],
) -> Float64[np.ndarray, "478 3"]:
    """A blink of this face; what closes another's eyes may leave these open, or cross the lids."""
    upper, lower = list(lids.upper), list(lids.lower)
    opening = float((head[lower] - head[upper])[:, 1].mean())
    closes = float((move[upper] - move[lower])[:, 1].mean())
    move = move * min(max(opening, 0.0) / closes, 2.0)
    move[upper] = head[lower] + move[lower] - head[upper]
    line = head[[lids.corners[0], *lower, lids.corners[1]]]
    line[1:-1] += move[lower]
    along = np.argsort(line[:, 0])
    move[iris, 1] = np.interp(head[iris, 0], line[along, 0], line[along, 1]) - head[iris, 1]
    return move


@cache
def _shapes() -> Float64[np.ndarray, "51 478 3"]:
    """The movements of the average face, in the head's axes [mm]."""
    with (resources.files("amesh.effects") / SHAPES).open("rb") as file, np.load(file) as data:
        return np.asarray(data["moves"], np.float64)
