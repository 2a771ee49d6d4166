"""What puppets need of a frame: how each face holds its head, where it looks, what it expresses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, Float64

from amesh.effects.camera import Camera
from amesh.effects.eye_tracker import EyeTracker
from amesh.effects.eyes import Eyes, Gaze
from amesh.effects.head_pose import MirroredFaceError
from amesh.pipeline.face_pipeline import Face
from amesh.pipeline.frames import VideoFrame

# Measures expressions, as `Blendshapes` does.
Expressions = Callable[[Float32[np.ndarray, "478 3"]], Float64[np.ndarray, "52"]]
# How far people turn their eyes in the head, to any side [degrees].
_FARTHEST = 45.0


@dataclass(frozen=True, eq=False)
class FaceState:
    """A face in a frame. Left and right are the subject's; angles have the signs of the picture.

    Attributes:
        face: Its landmarks, id and score.
        rotation: Yaw, pitch and roll of the head, relative to the camera [degrees].
        position: Of the head's origin, between the ears, in the camera's axes: x right, y down, z
            into the picture [mm].
        gaze: Yaw and pitch of both eyes, relative to the head, from -45 to 45 [degrees].
        opening: Of the right and the left eye; see `amesh.effects.eyes.Eyes`.
        closed: Whether the right and the left eye are closed.
        blendshapes: In the order of `Blendshapes.names`, from 0 to 1.
    """

    face: Face
    rotation: tuple[float, float, float]
    position: tuple[float, float, float]
    gaze: tuple[float, float]
    opening: tuple[float, float]
    closed: tuple[bool, bool]
    blendshapes: Float64[np.ndarray, "52"]


@dataclass(frozen=True, eq=False)
class FrameState:
    """A frame of a video, as it is streamed.

    Attributes:
        source: The video's name.
        index: The frame's number in it.
        time: From its first frame [s].
        size: Width and height [px].
        faces: Those that could be measured.
        main: The one for protocols that carry one face.
    """

    source: str
    index: int
    time: float
    size: tuple[int, int]
    faces: Sequence[FaceState]
    main: FaceState | None


class StateTracker:
    """Measures the faces of one video, frame by frame."""

    def __init__(
        self, source: str, blendshapes: Expressions, fov: float | None = None, mirror: bool = False
    ) -> None:
        """Starts before the first frame.

        Args:
            source: The video's name.
            blendshapes: Measures expressions.
            fov: Vertical field of view of the camera [degrees]; that of `Camera.from_fov` by
                default.
            mirror: Measure the faces as a mirror shows them.
        """
        self._source, self._blendshapes = source, blendshapes
        self._fov, self._mirror = {} if fov is None else {"vertical": fov}, mirror
        self._eyes: dict[int, EyeTracker] = {}
        self._main: int | None = None

    def __call__(self, frame: VideoFrame, faces: Sequence[Face]) -> FrameState:
        """Measures the next frame.

        The main face stays the same as long as it is followed; then it is the largest one.

        Args:
            frame: The frame.
            faces: Its faces, with ids that last over the frames.

        Raises:
            UserError: The landmarks are not those of `face478`.
        """
        height, width = frame.image.shape[:2]
        camera = Camera.from_fov(width, height, **self._fov)
        self._eyes = {face.id: self._eyes.get(face.id) or EyeTracker() for face in faces}
        states = [state for face in faces if (state := self._state(face, camera)) is not None]
        main = max(
            states,
            key=lambda state: (state.face.id == self._main, np.ptp(state.face.landmarks[:, 1])),
            default=None,
        )
        self._main = None if main is None else main.face.id
        return FrameState(self._source, frame.index, frame.time, (width, height), states, main)

    def _state(self, face: Face, camera: Camera) -> FaceState | None:
        """Measures a face; None if its landmarks show none."""
        if not np.isfinite(face.landmarks).all():
            return None
        if self._mirror:
            face = mirrored(face, camera.width)
        try:
            eyes = self._eyes[face.id](face.landmarks, camera)
        except MirroredFaceError:  # where there is no face, a network may see a mirrored one
            return None
        pose = eyes.pose
        if not np.isfinite(pose.rotation).all():  # coincident points
            return None
        yaw, pitch, roll = pose.euler
        right, left = np.nan_to_num(eyes.opening).tolist()
        x, y, z = pose.translation.tolist()
        return FaceState(
            face=face,
            rotation=(float(yaw), float(pitch), float(roll)),
            position=(x, y, z),
            gaze=_gaze(eyes),
            opening=(right, left),
            closed=(bool(eyes.closed[0]), bool(eyes.closed[1])),
            blendshapes=self._blendshapes(face.landmarks),
        )


def mirrored(face: Face, width: int) -> Face:
    """A face as it is in the mirrored picture; left and right stay the subject's, `roi` as it was.

    Args:
        face: Any face of a scheme that knows its mirror image.
        width: Of the picture [px].
    """
    order = face.topology.mirror
    flip, shift = np.array([-1, 1, 1], np.float32), np.array([width, 0, 0], np.float32)
    error = face.expected_error
    return replace(
        face,
        landmarks=face.landmarks[order] * flip + shift,
        raw=face.raw[order] * flip + shift,
        expected_error=None if error is None else error[order],
    )


def _gaze(eyes: Eyes) -> tuple[float, float]:
    """Yaw and pitch of the open eyes' mean direction, in the head's axes; 0 if none was seen.

    No farther than eyes turn: where the lids hide half of an iris, its landmarks may say more.
    """
    known = np.isfinite(eyes.gaze).all(axis=-1)
    trusted = known & ~eyes.closed if (known & ~eyes.closed).any() else known
    if not trusted.any():
        return 0.0, 0.0
    mean = eyes.gaze_in_head[trusted].mean(axis=0)
    yaw, pitch = Gaze.of(mean / np.linalg.norm(mean))
    return float(np.clip(yaw, -_FARTHEST, _FARTHEST)), float(np.clip(pitch, -_FARTHEST, _FARTHEST))
