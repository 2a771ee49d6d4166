"""Faces that move, shake, blink and are smoothed by known amounts; and what follows them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from amesh.evaluation.tracks import ClipTracks, TrackBuilder
from amesh.pipeline.results import FaceResult, PictureResult
from amesh.topology.scheme import Topology

RATE = 30.0


@dataclass
class Followed:
    """A face in a frame."""

    id: int
    landmarks: np.ndarray
    raw: np.ndarray | None = None


def shaking(
    face: np.ndarray,
    frames: int,
    noise: float = 0.0,
    move: Callable[[np.ndarray], np.ndarray] = np.zeros_like,
    seed: int = 0,
) -> np.ndarray:
    """A face (t n 3) whose landmarks have independent errors in x and y.

    Args:
        face: Its landmarks [px].
        frames: t.
        noise: Standard deviation of the errors [px].
        move: How far the face has moved to the right by a time [px].
        seed: Of the errors.
    """
    found = np.repeat(face[None].astype(np.float64), frames, axis=0)
    found[..., 0] += move(np.arange(frames) / RATE)[:, None]
    found[..., :2] += np.random.default_rng(seed).normal(0, noise, (frames, len(face), 2))
    return found.astype(np.float32)


def closing(topology: Topology, faces: np.ndarray, shares: Iterable[float]) -> np.ndarray:
    """Flat faces (t n 3) with their eyes closed to a share of their opening in each frame."""
    found = faces * (1, 1, 0)
    share = np.array(list(shares))[:, None]
    for side in ("right_eye", "left_eye"):
        loop = list(topology.indices(side))
        first, second = (found[:, corner, :2, None] for corner in topology.normalisers[side])
        x, y = found[:, loop, 0], found[:, loop, 1]
        along = (x - first[:, 0]) / (second[:, 0] - first[:, 0])
        line = first[:, 1] + along * (second[:, 1] - first[:, 1])
        found[:, loop, 1] = line + share * (y - line)
    return found.astype(np.float32)


def tracks(
    landmarks: np.ndarray, raw: np.ndarray | None = None, without: Sequence[int] = ()
) -> ClipTracks:
    """One face in a clip at 30 frames a second, unseen in some frames."""
    builder = TrackBuilder("program, clip", landmarks.shape[1])
    for i, points in enumerate(landmarks):
        faces = [] if i in without else [Followed(0, points, None if raw is None else raw[i])]
        builder.add(i, i / RATE, faces)
    return builder.finish(len(landmarks))


def records(
    source: str, landmarks: np.ndarray, raw: np.ndarray | None = None
) -> Iterator[PictureResult]:
    """Lines of a file of results."""
    for i, points in enumerate(landmarks):
        face = FaceResult(id=0, score=0.9, landmarks=points.tolist())
        if raw is not None:
            face["raw"] = raw[i].tolist()
        yield PictureResult(source=source, frame=i, time=i / RATE, size=[220, 200], faces=[face])


class Follower:
    """A tracker that sees the given faces, one a frame; None is a frame without a face."""

    def __init__(self, faces: Sequence[np.ndarray | None]) -> None:
        self.faces = faces
        self.times: list[float] = []
        self.resets = 0

    def reset(self) -> None:
        self.resets += 1
        self.times = []

    def process(self, image: np.ndarray, time: float) -> list[Followed]:
        points = self.faces[len(self.times)]
        self.times.append(time)
        return [] if points is None else [Followed(0, points, points)]
