"""How heads are turned and where they are, from their landmarks and the camera.

Convention
    Rotation and translation take a point from the head's axes (`amesh.effects.canonical`) to the
    camera's (`amesh.effects.camera`): x right, y down, z into the picture, in millimetres. A head
    that looks straight along the camera's axis has the identity as its rotation. Signs of angles
    are those of the picture: positive yaw turns the face to the picture's right, positive pitch
    down, positive roll clockwise.

The pose is the one that brings the rigid points of the canonical face closest to their landmarks
in the picture, under the camera's own perspective: OpenCV's SQPnP for a start that needs no guess,
then Gauss-Newton. The depth of landmarks is not used: it knows no camera. All rigid points but two
on the jaw count, and the same; with MediaPipe's weights, which rest on the nose, a turned camera
and expressions move the pose more (docs/effects.md).
"""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, Int

from amesh.effects.camera import Camera
from amesh.effects.canonical import OPENGL, canonical_face
from amesh.effects.landmarks import as_batch
from amesh.errors import UserError

_JAW = (136, 365)  # in MediaPipe's list of rigid landmarks; they move when the mouth opens
_ITERATIONS = 10
_SMALL = 1e-5  # [radians, and share of the distance]: the next step would change nothing
_MM_PER_CM = 10.0


class MirroredFaceError(UserError):
    """Landmarks that fit the mirror image of a face only."""


class Euler(NamedTuple):
    """Angles of heads or of gazes [degrees]; their signs are those of the picture.

    Attributes:
        yaw: Positive to the picture's right.
        pitch: Positive down.
        roll: Positive clockwise.
    """

    yaw: Float[np.ndarray, "*b"] | float
    pitch: Float[np.ndarray, "*b"] | float
    roll: Float[np.ndarray, "*b"] | float


@dataclass(frozen=True, eq=False)
class Pose:
    """How a head is turned and where it is, or the heads of a batch (*b is nothing, or b).

    The numbers are NaN where landmarks are, and where they show no face, such as coincident points.

    Attributes:
        rotation: From the head's axes to the camera's.
        translation: Place of the head's origin, between the ears, in the camera's axes [mm]. Its
            scale is that of an average adult's face; `eyes` measures the distance by the irises,
            whose size varies less.
        error_px: Root of the mean squared distance between the rigid landmarks and those
            of the posed canonical face [image px].
        camera: The camera it holds for.
    """

    rotation: Float[np.ndarray, "*b 3 3"]
    translation: Float[np.ndarray, "*b 3"]
    error_px: Float[np.ndarray, "*b"] | float
    camera: Camera

    @property
    def rvec(self) -> Float[np.ndarray, "*b 3"]:
        """The rotation as OpenCV's vector: the axis, as long as the angle [radians]."""
        flat = self.rotation.reshape(-1, 3, 3)
        vectors = [cv2.Rodrigues(one)[0].ravel() for one in flat if np.isfinite(one).all()]
        found = np.full((len(flat), 3), np.nan)
        found[np.isfinite(flat).all(axis=(1, 2))] = np.reshape(vectors, (-1, 3))
        return found.reshape(self.translation.shape)

    @property
    def euler(self) -> Euler:
        """Yaw, pitch and roll [degrees]; right, down and clockwise in the picture are positive.

        Yaw, -180 to 180, and pitch say where the face points; roll turns the head about that line.
        As a product of matrices for column vectors: yaw @ pitch @ roll.
        """
        r = self.rotation
        yaw = np.arctan2(-r[..., 0, 2], r[..., 2, 2])
        pitch = np.arcsin((-r[..., 1, 2]).clip(-1, 1))
        roll = np.arctan2(r[..., 1, 0], r[..., 1, 1])
        return Euler(*map(np.degrees, (yaw, pitch, roll)))

    def matrix(self, axes: str = "opencv") -> Float[np.ndarray, "*b 4 4"]:
        """The pose as a matrix (4, 4) for column vectors.

        Args:
            axes: "opencv": from the head's axes to the camera's [mm]. "opengl": from the canonical
                face as its file has it to a camera with x right, y up, z towards the viewer [cm]:
                MediaPipe's `facial_transformation_matrixes`.

        Raises:
            UserError: There are no such axes.
        """
        if axes not in ("opencv", "opengl"):
            raise UserError(f"a pose has no axes {axes!r}; use opencv or opengl")
        matrix = np.zeros((*self.rotation.shape[:-2], 4, 4))
        matrix[..., :3, :3], matrix[..., :3, 3] = self.rotation, self.translation
        matrix[..., 3, 3] = 1
        if axes == "opengl":
            matrix[..., :3, :3] = OPENGL @ self.rotation @ OPENGL
            matrix[..., :3, 3] = self.translation @ OPENGL / _MM_PER_CM
        return matrix

    def place(self, points: Float[np.ndarray, "k 3"]) -> Float[np.ndarray, "*b k 3"]:
        """Takes points from the head's axes to the camera's [mm]."""
        turned = points @ np.swapaxes(self.rotation, -1, -2)
        return np.asarray(turned + self.translation[..., None, :])


def head_pose(landmarks: Float[np.ndarray, "*b 478 d"], camera: Camera | tuple[int, int]) -> Pose:
    """How heads are turned and where they are.

    The pose is as good as the camera: with the wrong field of view, heads away from the middle of
    the picture turn by degrees. In a mirrored (selfie) picture it is that of the mirrored head: yaw
    and roll have the other sign.

    Args:
        landmarks: Of a face (478, 3), or of several (b, 478, 3) [image px]; z only tells whether
            they are mirrored.
        camera: The camera; or the picture's width and height, for `Camera.from_fov` with its
            default angle. `Pose.camera` says which was used.

    Examples:
        >>> from amesh.effects.canonical import canonical_face
        >>> camera = Camera.from_fov(640, 480)
        >>> face = canonical_face().points + (0, 0, 600)  # 60 cm away, looking at the camera
        >>> landmarks = np.concatenate([camera.project(face), face[:, 2:]], axis=1)
        >>> pose = head_pose(landmarks, camera)
        >>> float(pose.translation[2].round(1)), float(abs(pose.euler.yaw).round(1))
        (600.0, 0.0)

    Raises:
        UserError: The landmarks do not have this shape, or were mirrored without exchanging left
            and right; or the camera is neither.
    """
    camera = Camera.of(camera)
    faces, single = as_batch(landmarks)
    canonical = canonical_face()
    used = _used()
    rigid = faces[:, used]
    good = np.isfinite(rigid[..., :2]).all(axis=(1, 2))
    rotation = np.full((len(faces), 3, 3), np.nan)
    translation, error = np.full((len(faces), 3), np.nan), np.full(len(faces), np.nan)
    if good.any():
        _refuse_mirrored(rigid[good])
        points = canonical.points[used]
        seen = np.ascontiguousarray(rigid[good][..., :2])  # OpenCV takes nothing else
        starts = [_start(points, one, camera) for one in seen]
        turn, shift = (np.stack(part) for part in zip(*starts, strict=True))
        fitted = _fit(points, seen, camera, turn, shift)
        rotation[good], translation[good], error[good] = fitted
    if single:
        return Pose(rotation[0], translation[0], error[0], camera)
    return Pose(rotation, translation, error, camera)


@cache
def _used() -> Int[np.ndarray, " k"]:
    """The rigid landmarks without those on the jaw."""
    rigid = canonical_face().rigid
    return rigid[~np.isin(rigid, _JAW)]


def _refuse_mirrored(rigid: Float[np.ndarray, "b k d"]) -> None:
    """Refuses faces whose landmarks fit the mirror image of a face only."""
    if rigid.shape[-1] < 3:
        return
    canonical = canonical_face()
    source = canonical.points[_used()]
    source = source - source.mean(axis=0)
    known = np.isfinite(rigid).all(axis=(1, 2))[:, None, None]
    target = np.where(known, rigid - rigid.mean(axis=1, keepdims=True), 0)
    mirrored = np.linalg.det(np.einsum("bki,kj->bij", target, source)) < 0
    if mirrored.any():
        raise MirroredFaceError(
            f"face {int(mirrored.argmax())} has the landmarks of a mirrored face; where x is "
            "flipped, exchange left and right, too: landmarks[load_topology().mirror]"
        )


def _start(
    points: Float[np.ndarray, "k 3"], seen: Float[np.ndarray, "k 2"], camera: Camera
) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3"]]:
    """A pose near the best one, without a guess; not finite where coincident points allow none."""
    try:
        good, turn, shift = cv2.solvePnP(
            points, seen, camera.matrix, None, flags=cv2.SOLVEPNP_SQPNP
        )
    except cv2.error:
        good = False
    if not good:
        return np.full((3, 3), np.nan), np.full(3, np.nan)
    return cv2.Rodrigues(turn)[0], shift.ravel()


def _fit(
    points: Float[np.ndarray, "k 3"],
    seen: Float[np.ndarray, "b k 2"],
    camera: Camera,
    rotation: Float[np.ndarray, "b 3 3"],
    translation: Float[np.ndarray, "b 3"],
) -> tuple[Float[np.ndarray, "b 3 3"], Float[np.ndarray, "b 3"], Float[np.ndarray, " b"]]:
    """Gauss-Newton on the squared distances in the picture; no step makes them worse."""
    cost, step = _step(points, seen, camera, rotation, translation)
    for _ in range(_ITERATIONS):
        if not (np.abs(step) > _SMALL).any():
            break
        new_rotation = np.stack([cv2.Rodrigues(one)[0] for one in step[:, :3]]) @ rotation
        new_translation = translation + step[:, 3:] * translation[:, 2:]
        new_cost, new_step = _step(points, seen, camera, new_rotation, new_translation)
        better = new_cost < cost
        rotation = np.where(better[:, None, None], new_rotation, rotation)
        translation = np.where(better[:, None], new_translation, translation)
        cost = np.where(better, new_cost, cost)
        step = np.where(better[:, None], new_step, 0)
    lost = ~np.isfinite(cost)
    rotation[lost], translation[lost], cost[lost] = np.nan, np.nan, np.nan
    return rotation, translation, np.sqrt(cost)


def _step(
    points: Float[np.ndarray, "k 3"],
    seen: Float[np.ndarray, "b k 2"],
    camera: Camera,
    rotation: Float[np.ndarray, "b 3 3"],
    translation: Float[np.ndarray, "b 3"],
) -> tuple[Float[np.ndarray, " b"], Float[np.ndarray, "b 6"]]:
    """The mean squared distance [px^2], and the step that would lower it most.

    A step is a rotation about the head's origin [radians], and a shift relative to the distance.
    """
    turned = points @ rotation.transpose(0, 2, 1)
    placed = turned + translation[:, None]
    x, y, z = placed[..., 0], placed[..., 1], placed[..., 2]
    behind = (z <= 0).any(axis=1)
    z = np.where(behind[:, None], 1.0, z)
    fx, fy = camera.fx / z, camera.fy / z
    across, down = -fx * x / z, -fy * y / z
    away = np.stack([camera.cx - across * z, camera.cy - down * z], axis=-1) - seen  # b k 2
    jacobian = np.empty((*away.shape, 6))  # b k 2 6: x and y in the picture, by each part of a step
    qx, qy, qz = turned[..., 0], turned[..., 1], turned[..., 2]
    far = translation[:, None, 2]
    for column, value in enumerate((qy * across, qz * fx - qx * across, -qy * fx, fx * far, 0)):
        jacobian[..., 0, column] = value
    for column, value in enumerate((qy * down - qz * fy, -qx * down, qx * fy, 0, fy * far)):
        jacobian[..., 1, column] = value
    jacobian[..., 0, 5], jacobian[..., 1, 5] = across * far, down * far
    jacobian = jacobian.reshape(len(seen), -1, 6)
    flat = away.reshape(len(seen), -1, 1)
    transposed = jacobian.transpose(0, 2, 1)
    normal = transposed @ jacobian + 1e-9 * np.eye(6)  # never singular
    step = -np.linalg.solve(normal, transposed @ flat)[..., 0]
    cost = np.where(behind, np.inf, (away**2).sum(axis=-1).mean(axis=-1))
    return cost, np.where(behind[:, None], 0, step)
