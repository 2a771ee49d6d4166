"""Eyes: where the irises are, how far away, how wide open the lids are, and where they look.

Convention
    Every array has an axis of two eyes, the subject's right one first. Places and directions are in
    the camera's axes [mm] (`amesh.effects.camera`), unless a name says that they are in the head's
    (`amesh.effects.canonical`). Angles have the signs of the picture: yaw to the right, pitch down.

The irises of people are nearly equally wide, so their width in the picture gives the distance along
the line of sight. The gaze leads from the centre of the eyeball to the centre of the iris. The
eyeball lies where it does on average behind the corners of the eye, and its size relative to the
iris is the same for everyone. Gaze is as good as this: people whose eyes differ from the average
are off by a few degrees, always to the same side.
"""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from amesh.effects.camera import Camera
from amesh.effects.canonical import canonical_face
from amesh.effects.head_pose import Pose, head_pose
from amesh.effects.landmarks import as_batch
from amesh.errors import UserError
from amesh.topology import load
from amesh.topology.lids import eye_lids

# Mean diameter of the visible iris of adults [mm].
IRIS_MM = 11.7
# An eyeball's radius, over that of its iris: 24 and 11.7 mm.
_BALL = 24.0 / IRIS_MM
# From the centre of the eyeball to the plane of the iris's rim, in radii of the iris.
_DEPTH = float(np.sqrt(_BALL**2 - 1))
# From the middle between the corners of each eye to the centre of the eyeball, in the head's axes
# [mm on the scale of the pose]. With it, the 65 people of two sets
# of portraits (London, Canada), who look at the camera, look there on average; one by one, they are
# off by 3 degrees (standard deviation) in yaw and in pitch.
_BALL_FROM_CORNERS = np.array([[-1.6, -3.0, 7.4], [1.6, -3.0, 7.4]])
_IRIS_FROM_CORNERS = _BALL_FROM_CORNERS - (0, 0, _DEPTH * IRIS_MM / 2)
# An eye whose opening is less is closed: in clips, open eyes have 0.2 to 0.33, narrowed ones 0.15,
# and blinks reach 0.01 to 0.09.
CLOSED = 0.12
# Cosine between the line of sight and the direction straight out of an eye; below it, the eye is
# seen edge-on, and its opening would be a small number over a smaller one.
_SIDEWAYS = 0.15


class Gaze(NamedTuple):
    """Where eyes look [degrees].

    Attributes:
        yaw: Positive to the picture's right.
        pitch: Positive down.
    """

    yaw: Float[np.ndarray, "*b"] | float
    pitch: Float[np.ndarray, "*b"] | float

    @classmethod
    def of(cls, directions: Float[np.ndarray, "*b 3"]) -> "Gaze":
        """The angles of unit vectors."""
        yaw = np.arctan2(directions[..., 0], -directions[..., 2])
        pitch = np.arcsin(directions[..., 1].clip(-1, 1))
        return cls(np.degrees(yaw), np.degrees(pitch))


@dataclass(frozen=True, eq=False)
class Eyes:
    """The eyes of a face, or of the faces of a batch (*b is nothing, or b); the right eye first.

    Attributes:
        centre: Centres of the irises [image px].
        diameter: Their largest diameters [image px].
        position: Centres of the irises in the camera's axes [mm], by the size of the iris.
        opening: Distance between the lids, over that between the corners of the eye, as seen from
            straight ahead; about 0.3 for open eyes, below 0.1 for closed ones, NaN for the far eye
            of a profile, which is seen edge-on.
        closed: The opening is too small to see a gaze.
        gaze: Unit vectors from the centres of the eyeballs to those of the irises, in the camera's
            axes; NaN for closed eyes.
        pose: The pose of the head.
    """

    centre: Float[np.ndarray, "*b 2 2"]
    diameter: Float[np.ndarray, "*b 2"]
    position: Float[np.ndarray, "*b 2 3"]
    opening: Float[np.ndarray, "*b 2"]
    closed: Bool[np.ndarray, "*b 2"]
    gaze: Float[np.ndarray, "*b 2 3"]
    pose: Pose

    @property
    def distance(self) -> Float[np.ndarray, "*b 2"]:
        """Distance of each iris from the camera, along the line of sight [mm]."""
        return np.asarray(np.linalg.norm(self.position, axis=-1))

    @property
    def gaze_in_head(self) -> Float[np.ndarray, "*b 2 3"]:
        """The gaze in the head's axes: (0, 0, -1) looks straight ahead."""
        return np.asarray(self.gaze @ self.pose.rotation)

    @property
    def gaze_of_both(self) -> Float[np.ndarray, "*b 3"]:
        """The mean direction of the eyes that are open, in the camera's axes; NaN if none is.

        Where someone looks is best told from both eyes: most of what their shape adds to the yaw of
        one eye it takes from the other's.
        """
        total = np.nansum(self.gaze, axis=-2)
        length = np.linalg.norm(total, axis=-1, keepdims=True)
        return np.asarray(total / np.where(length > 0, length, np.nan))

    @property
    def angles(self) -> Gaze:
        """The gaze in the camera's axes [degrees]; 0 looks against the camera's axis."""
        return Gaze.of(self.gaze)

    @property
    def angles_in_head(self) -> Gaze:
        """The gaze in the head's axes [degrees]; 0 looks straight ahead."""
        return Gaze.of(self.gaze_in_head)


def eyes(
    landmarks: Float[np.ndarray, "*b 478 d"],
    camera: Camera | tuple[int, int],
    iris_mm: float = IRIS_MM,
    closed: float = CLOSED,
) -> Eyes:
    """Measures the eyes of faces.

    Args:
        landmarks: Of a face (478, 3), or of several (b, 478, 3) [image px].
        camera: The camera; or the picture's width and height, for `Camera.from_fov` with its
            default angle. `Eyes.pose.camera` says which was used.
        iris_mm: Diameter of the irises [mm]; distances are proportional to it.
        closed: Eyes whose opening is less are closed, and have no gaze.

    Examples:
        >>> from amesh.effects.canonical import canonical_face
        >>> camera = Camera.from_fov(640, 480)
        >>> face = canonical_face().points + (0, 0, 600)  # looks straight along the axis
        >>> both = eyes(camera.project(face), camera, iris_mm=12)
        >>> (both.distance / 10).round().tolist()  # [cm]: nearer than the middle of the head
        [56.0, 56.0]

    Raises:
        UserError: The landmarks do not have this shape, or were mirrored without exchanging left
            and right; or the diameter is not above 0.
    """
    if not 0 < iris_mm < np.inf:
        raise UserError(f"iris_mm is {iris_mm}; expected the diameter of an iris [mm]")
    pose = head_pose(landmarks, camera)
    faces, single = as_batch(landmarks)
    with np.errstate(divide="ignore", invalid="ignore"):  # coincident points, or beside the camera
        parts = _measured(faces[..., :2], pose, iris_mm)
    centre, diameter, position, opening, gaze = (part[0] for part in parts) if single else parts
    shut = ~(opening >= closed)  # NaN, too
    gaze = np.where(shut[..., None], np.nan, gaze)
    return Eyes(centre, diameter, position, opening, shut, gaze, pose)


class _Layout(NamedTuple):
    """Where the parts of both eyes are, the right one first; vectors in the head's axes [mm]."""

    indices: Int[np.ndarray, "2 21"]  # iris: centre and rim; corners; upper lid; lower lid
    corners: Float[np.ndarray, "2 2 3"]  # of the canonical face
    down: Float[np.ndarray, "2 3"]  # in the plane of the eye, across the line between its corners
    normal: Float[np.ndarray, "2 3"]  # of this plane


_IRIS, _RIM, _CORNERS = 0, slice(1, 5), slice(5, 7)
_UPPER, _LOWER = slice(7, 14), slice(14, 21)


@cache
def _layout() -> _Layout:
    topology = load()
    pairs = list(zip(topology.irises, eye_lids(topology), strict=True))
    indices = np.array([[*i.indices, *lid.corners, *lid.upper, *lid.lower] for i, lid in pairs])
    corners = canonical_face().points[indices[:, _CORNERS]]
    across = corners[:, 1] - corners[:, 0]
    normal = np.cross(across, [0.0, 1.0, 0.0])
    down = np.cross(normal, across)
    return _Layout(indices, corners, _unit(down), _unit(normal))


def _measured(
    xy: Float[np.ndarray, "b n 2"], pose: Pose, iris_mm: float
) -> tuple[Float[np.ndarray, "b 2 ..."], ...]:
    """Centre, diameter, position, opening and gaze of each eye."""
    layout = _layout()
    rotation, translation = pose.rotation.reshape(-1, 3, 3), pose.translation.reshape(-1, 1, 1, 3)
    corners = layout.corners.reshape(4, 3) @ rotation.transpose(0, 2, 1)
    corners = corners.reshape(-1, 2, 2, 3) + translation  # b 2 2 3
    outline = xy[:, layout.indices]  # b 2 21 2
    rays = pose.camera.rays(outline)  # b 2 21 3
    sight = rays[:, :, _IRIS]
    # The radius of each iris over its distance, the same anywhere in the picture.
    along = (rays[:, :, _RIM] * sight[:, :, None]).sum(-1, keepdims=True)
    radius = _semi_axis(rays[:, :, _RIM] / along)
    position = sight * (iris_mm / 2 / np.where(radius > 0, radius, np.nan))[..., None]
    opening = _opening(rays, corners, rotation)
    gaze = _gaze(rays, radius, corners, rotation)
    return outline[:, :, _IRIS], 2 * _semi_axis(outline[:, :, _RIM]), position, opening, gaze


def _semi_axis(outline: Float[np.ndarray, "b 2 4 d"]) -> Float[np.ndarray, "b 2"]:
    """The larger semi-axis of ellipses, from the ends of two diameters that were perpendicular.

    However a circle is turned, its largest diameter is seen in full.
    """
    across = (outline[:, :, 0] - outline[:, :, 2]) / 2
    upright = (outline[:, :, 1] - outline[:, :, 3]) / 2
    # The larger singular value of the two semi-diameters.
    a, c = (across**2).sum(-1), (upright**2).sum(-1)
    b = (across * upright).sum(-1)
    return np.asarray(np.sqrt((a + c + np.sqrt((a - c) ** 2 + 4 * b**2)) / 2))


def _opening(
    rays: Float[np.ndarray, "b 2 21 3"],
    corners: Float[np.ndarray, "b 2 2 3"],
    rotation: Float[np.ndarray, "b 3 3"],
) -> Float[np.ndarray, "b 2"]:
    """The opening of the eyes in their own planes, so that turning the head changes nothing."""
    layout, back = _layout(), rotation.transpose(0, 2, 1)
    normal, down = layout.normal @ back, layout.down @ back  # b 2 3
    middle = corners.mean(axis=2)
    # Where the rays to the lids meet the plane through the corners.
    share = (middle * normal).sum(-1)[..., None] / (rays * normal[:, :, None]).sum(-1)
    met = rays * share[..., None]
    height = (met * down[:, :, None]).sum(-1)
    # Without the landmarks next to the corners, which hardly move.
    gap = (height[:, :, _LOWER] - height[:, :, _UPPER])[..., 1:-1].mean(axis=-1)
    first, last = np.moveaxis(met[:, :, _CORNERS], 2, 0)
    opening = gap / np.linalg.norm(last - first, axis=-1)
    towards = (middle * normal).sum(-1) / np.linalg.norm(middle, axis=-1)
    return np.where(towards < _SIDEWAYS, np.nan, opening)


def _gaze(
    rays: Float[np.ndarray, "b 2 21 3"],
    radius: Float[np.ndarray, "b 2"],
    corners: Float[np.ndarray, "b 2 2 3"],
    rotation: Float[np.ndarray, "b 3 3"],
) -> Float[np.ndarray, "b 2 3"]:
    """From the centre of each eyeball to where the line of sight through the iris meets it."""
    sight, back = rays[:, :, _IRIS], rotation.transpose(0, 2, 1)
    # The corners as far away as the pose has them, in the directions in which they are seen.
    seen = rays[:, :, _CORNERS]
    between = (seen * (corners[..., 2] / seen[..., 2])[..., None]).mean(axis=2)  # b 2 3
    ball = between + _BALL_FROM_CORNERS @ back
    # The iris's size on the scale of the pose [mm]: the same for both eyes.
    distance = (between + _IRIS_FROM_CORNERS @ back)[..., 2] / sight[..., 2]
    reach = _DEPTH * (radius * distance).mean(axis=1)[:, None]
    # The nearer of the two places where the line of sight is as far from the ball's centre as the
    # iris; the nearest one where it passes by.
    along = (sight * ball).sum(-1)
    aside = (ball**2).sum(-1) - along**2
    length = along - np.sqrt((reach**2 - aside).clip(0))
    return _unit(sight * length[..., None] - ball)


def _unit(vectors: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
