"""Measures what one program saw in a clip: jitter on the stillest frames, lag on the fastest.

Both always together: every filter can trade one for the other.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from amesh.evaluation.labels.label_schemes import label_scheme
from amesh.evaluation.labels.measures import opening
from amesh.evaluation.tracks import ClipTracks
from amesh.metrics.blinks import blinks_kept
from amesh.metrics.continuity import Continuity, continuity
from amesh.metrics.jitter import jitter, steps
from amesh.metrics.lag import Followed, lag
from amesh.metrics.motion import HALF, WINDOW, Motion, fit_motion, pace
from amesh.metrics.track import Track, timed_runs
from amesh.topology.scheme import Topology

ALL = "all landmarks"
SHARE = 0.3  # of the frames: the stillest ones, and the fastest ones
# The stillest frames of a clip have to be slower than this for jitter to mean something, and the
# fastest ones faster than that for lag [eye distances/s].
STILL, MOVING = 0.4, 0.1


@dataclass(frozen=True)
class OverTime:
    """How one program followed the faces of a clip. NaN where a clip does not show it.

    Attributes:
        continuity: Faces found, lost and found again.
        measured: Frames whose jitter and speed could be measured.
        interval: Median time from frame to frame [s].
        jitter: On the stillest frames, by part of the face; median over the frames [% of the
            distance between the outer eye corners].
        step: From each still frame to the next, median [% of the same].
        lag: On the fastest frames [s].
        blinks: Blinks of either eye.
        blinks_kept: How much of their depth smoothing leaves, on average [%].
    """

    continuity: Continuity
    measured: int
    interval: float
    jitter: Mapping[str, float]
    step: float
    lag: float
    blinks: int
    blinks_kept: float


class _Run(NamedTuple):
    """Consecutive frames of a face, long enough to fit its motion.

    Attributes:
        track: The frames.
        length: Distance between the outer eye corners [px].
        motion: Fit of the landmarks as the program gives them.
        raw: Fit of the unsmoothed ones; None if these are not known for all frames.
    """

    track: Track
    length: float
    motion: Motion
    raw: Motion | None

    @property
    def points(self) -> Float[np.ndarray, "t n 2"]:
        return np.asarray(self.track.landmarks[..., :2], dtype=np.float64)

    @property
    def pace(self) -> Float[np.ndarray, " u"]:
        return pace(self.raw or self.motion, self.length)


def measure(clip: ClipTracks, topology: Topology) -> OverTime:
    """Measures a clip.

    Args:
        clip: What the program saw.
        topology: The scheme of its landmarks.
    """
    found = [run for track in clip.tracks.values() for run in _runs(track, topology)]
    paces = [run.pace for run in found]
    stillest, fastest = _limits(paces)
    interval = _median([np.diff(run.track.times) for run in found])
    smoothed = [run for run in found if run.raw is not None]
    kept = _blinks([run.track for run in smoothed], topology)
    still = [pace <= stillest for pace in paces]
    followed = [_followed(run, fastest) for run in smoothed]
    return OverTime(
        continuity=continuity(clip.tracks, clip.frames),
        measured=sum(map(len, paces)),
        interval=interval,
        jitter=_jitter(found, still, topology),
        step=_median([_steps(*each) for each in zip(found, still, strict=True)]),
        lag=lag(followed, interval),
        blinks=len(kept),
        blinks_kept=float(kept.mean()) if len(kept) else float("nan"),
    )


def _runs(track: Track, topology: Topology) -> Iterator[_Run]:
    first, second = topology.normalisers["outer_eye_corners"]
    across = (track.landmarks[:, first, :2] - track.landmarks[:, second, :2]).astype(np.float64)
    length = float(np.median(np.linalg.norm(across, axis=-1)))
    for part in timed_runs(track):
        if len(part.frames) >= WINDOW:
            known = np.isfinite(part.raw).all()
            raw = fit_motion(part.times, part.raw[..., :2]) if known else None
            yield _Run(part, length, fit_motion(part.times, part.landmarks[..., :2]), raw)


def _limits(paces: Sequence[Float[np.ndarray, " _"]]) -> tuple[float, float]:
    """Up to which pace a frame is still, and from which it is fast [eye distances/s].

    If the face is never still, or never moves, no pace is.
    """
    speeds = np.concatenate([np.zeros(0), *paces])
    if not len(speeds):
        return -np.inf, np.inf
    stillest, fastest = np.quantile(speeds, [SHARE, 1 - SHARE])
    moving = np.median(speeds[speeds >= fastest]) >= MOVING
    return float(stillest) if stillest < STILL else -np.inf, float(fastest) if moving else np.inf


def _jitter(
    found: Sequence[_Run], still: Sequence[Bool[np.ndarray, " _"]], topology: Topology
) -> dict[str, float]:
    """Of each part, by its median frame [%]."""
    frames = [
        jitter(run.points, run.motion, run.length)[chosen]
        for run, chosen in zip(found, still, strict=True)
    ]
    squared = np.concatenate([np.zeros((0, topology.points)), *frames]) ** 2  # f n
    if not len(squared):
        return {}
    parts = {name: squared[:, list(points)] for name, points in topology.outputs.items()}
    parts = {ALL: squared} | parts
    return {name: float(np.median(np.sqrt(part.mean(-1)))) for name, part in parts.items()}


def _steps(run: _Run, still: Bool[np.ndarray, " u"]) -> Float[np.ndarray, " s"]:
    """The steps between frames that are both still [%]."""
    middle = run.points[HALF : HALF + len(still)]
    return np.asarray(steps(middle, run.length)[still[1:] & still[:-1]])


def _followed(run: _Run, fastest: float) -> Followed:
    assert run.raw is not None
    counted = np.zeros(len(run.track.times), dtype=bool)
    counted[HALF:-HALF] = run.pace >= fastest
    return Followed(run.track.times, run.points, run.raw, counted, run.length)


def _blinks(tracks: Sequence[Track], topology: Topology) -> Float[np.ndarray, " b"]:
    """How much is left of each blink of either eye [%]."""
    found = [np.zeros(0)]
    for track in tracks:
        for eye in label_scheme(topology.name, topology).eyes:
            smoothed, raw = (
                np.array([opening(face.astype(np.float64), eye) for face in faces])
                for faces in (track.landmarks, track.raw)
            )
            found.append(blinks_kept(smoothed, raw))
    return np.concatenate(found)


def _median(values: Sequence[Float[np.ndarray, " _"]]) -> float:
    joined = np.concatenate([np.zeros(0), *values])
    return float(np.median(joined)) if len(joined) else float("nan")
