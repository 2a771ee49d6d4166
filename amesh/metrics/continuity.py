"""Continuity: how often a program loses the faces that it follows. NumPy."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from amesh.metrics.track import Track, runs


@dataclass(frozen=True)
class Continuity:
    """What became of the faces of a clip.

    Attributes:
        share: Frames with at least one face [% of all].
        ids: Different identities. A program that gives a face a new one when it comes back has more
            of them, and no returns.
        losses: How often a face was gone in the next frame.
        returns: How often an identity came back.
    """

    share: float
    ids: int
    losses: int
    returns: int


def continuity(tracks: Mapping[int, Track], frames: int) -> Continuity:
    """Counts losses and returns.

    Args:
        tracks: The tracks of a clip, by identity.
        frames: Number of frames of the clip.
    """
    parts = {identity: runs(track) for identity, track in tracks.items()}
    seen = {int(frame) for track in tracks.values() for frame in track.frames}
    ends = [int(part.frames[-1]) for found in parts.values() for part in found]
    return Continuity(
        share=100 * len(seen) / frames if frames else float("nan"),
        ids=sum(bool(found) for found in parts.values()),
        losses=int(np.sum(np.array(ends, dtype=np.int64) < frames - 1)),
        returns=sum(len(found) - 1 for found in parts.values() if found),
    )
