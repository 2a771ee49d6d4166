"""Follows the faces of clips."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from tqdm import tqdm

from amesh.evaluation.tracks import ClipTracks, FollowedFace, TrackBuilder
from amesh.pipeline.video import open_source


@runtime_checkable
class FaceFollower(Protocol):
    """Follows faces from frame to frame, such as `amesh.FaceTracker`."""

    def process(self, image: UInt8[np.ndarray, "h w 3"], time: float) -> Sequence[FollowedFace]:
        """The faces of the next frame; the time is in seconds."""

    def reset(self) -> None:
        """Forgets all faces: another clip follows."""


def follow(trackers: Mapping[str, FaceFollower], clip: Path, points: int) -> dict[str, ClipTracks]:
    """What each tracker sees in a clip, by its name; the clip is read once.

    Args:
        trackers: By the name that tables show.
        clip: A video file.
        points: Number of landmarks of each face.

    Raises:
        UserError: The clip cannot be read, or a tracker gives another number of landmarks.
    """
    found = {name: TrackBuilder(f"{name}, {clip}", points) for name in trackers}
    for tracker in trackers.values():
        tracker.reset()
    frames = 0
    with open_source(clip) as source:
        bar = tqdm(source, clip.name, source.frames, unit="frame", disable=not sys.stderr.isatty())
        for frame in bar:
            frames = frame.index + 1
            for name, tracker in trackers.items():
                faces = tracker.process(frame.image, frame.time)
                found[name].add(frame.index, frame.time, faces)
    if source.problem:
        tqdm.write(f"amesh: {source.problem}", file=sys.stderr)
    return {name: builder.finish(frames) for name, builder in found.items()}
