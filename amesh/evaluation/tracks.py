"""The faces of a clip over time, as a program followed them: from a run, or from its records."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32

from amesh.errors import UserError
from amesh.metrics.track import Track
from amesh.pipeline.results import PictureResult

Landmarks = Float32[np.ndarray, "n 3"]


@runtime_checkable
class FollowedFace(Protocol):
    """What a track keeps of a face in one frame."""

    @property
    def id(self) -> int:
        """The number of its track."""

    @property
    def landmarks(self) -> Landmarks:
        """Landmarks, smoothed or not [px]."""

    @property
    def raw(self) -> Landmarks | None:
        """The same before smoothing; None if they are unknown."""


@dataclass(frozen=True, eq=False)
class ClipTracks:
    """What one program saw in a clip.

    Attributes:
        frames: Number of frames of the clip.
        tracks: Its faces over time, by their number.
    """

    frames: int
    tracks: Mapping[int, Track]


@dataclass(frozen=True)
class _RecordedFace:
    id: int
    landmarks: Landmarks
    raw: Landmarks | None


class TrackBuilder:
    """Collects the frames of a clip, in order."""

    def __init__(self, name: str, points: int) -> None:
        """Starts a clip.

        Args:
            name: What messages call the program and its clip.
            points: Number of landmarks of each face.
        """
        self._name, self._points = name, points
        self._frames: dict[int, list[int]] = {}
        self._times: dict[int, list[float]] = {}
        self._faces: dict[int, list[FollowedFace]] = {}
        self._last, self._time = -1, -np.inf

    def add(self, frame: int, time: float, faces: Iterable[FollowedFace]) -> None:
        """Adds a frame.

        Args:
            frame: Its number; numbers that are left out count as frames without a face.
            time: Its time [s].
            faces: The faces in it.

        Raises:
            UserError: Frames do not increase or times decrease, an id comes twice in the frame, or
                a face has another number of landmarks.
        """
        where = f"{self._name}, frame {frame}"
        if frame <= self._last or time < self._time:
            raise UserError(
                f"{where} at {time:g} s follows frame {self._last} at {self._time:g} s; give the "
                "frames of a clip in order"
            )
        self._last, self._time = frame, time
        for face in faces:
            frames = self._frames.setdefault(face.id, [])
            if frames and frames[-1] == frame:
                raise UserError(f"{where}: two faces have the id {face.id}")
            for points in (face.landmarks, face.raw):
                if points is not None and points.shape != (self._points, 3):
                    raise UserError(
                        f"{where}: {len(points)} landmarks, expected {self._points} of [x, y, z]"
                    )
            frames.append(frame)
            self._times.setdefault(face.id, []).append(time)
            self._faces.setdefault(face.id, []).append(face)

    def add_result(self, result: PictureResult) -> None:
        """Adds a line of a file of results; one with an error is no frame.

        Raises:
            UserError: As `add`.
        """
        if "error" in result:
            return
        faces = [
            _RecordedFace(
                face["id"],
                np.array(face["landmarks"], dtype=np.float32),
                np.array(face["raw"], dtype=np.float32) if "raw" in face else None,
            )
            for face in result.get("faces", [])
        ]
        self.add(result["frame"], result["time"], faces)

    def finish(self, frames: int | None = None) -> ClipTracks:
        """The tracks.

        Args:
            frames: Number of frames of the clip; by default, until the last one that was added.
        """
        tracks = {identity: self._track(identity) for identity in self._frames}
        return ClipTracks(self._last + 1 if frames is None else frames, tracks)

    def _track(self, identity: int) -> Track:
        faces = self._faces[identity]
        unknown = np.full((self._points, 3), np.nan, np.float32)
        return Track(
            np.array(self._frames[identity]),
            np.array(self._times[identity], dtype=np.float64),
            np.stack([face.landmarks for face in faces]),
            np.stack([unknown if face.raw is None else face.raw for face in faces]),
        )
