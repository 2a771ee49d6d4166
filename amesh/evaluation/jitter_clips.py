"""Measures how much landmarks jitter on video.

Each network follows a face by its own landmarks, as a tracker does: the region of interest of a
frame comes from the landmarks of the frame before. A track ends when the face is lost.

All networks are measured in the same unit of length. Otherwise a network that predicts less depth,
and so a shorter distance between the eyes of a turned head, would seem to jitter more.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from tqdm import tqdm

from amesh.evaluation.labels.head_pose import face_roi
from amesh.evaluation.models import FaceFinder
from amesh.geometry.roi import Roi
from amesh.metrics.shaking import face_jitter, landmark_jitter
from amesh.pipeline.video import open_source
from amesh.topology.scheme import Topology

Track = Float[np.ndarray, "t n 3"]

_LOST = 0.5  # confidence below which a face is lost
# Parts of the face beside regions and irises.
ALL = "all landmarks"
WHOLE = "face as a whole"


class ClipJitter(NamedTuple):
    """How much one network's landmarks jitter on one clip.

    Attributes:
        medians: Median over the frames, by part of the face [% of the outer eye distance]; empty
            if no face was followed.
        frames: Number of frames measured.
    """

    medians: dict[str, float]
    frames: int


def read_frames(path: Path) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """Yields the frames of a video, upright, RGB.

    Raises:
        UserError: The file is missing, or is not a video that can be read.
    """
    with open_source(path) as source:
        for frame in source:
            yield frame.image
    if source.problem:
        tqdm.write(f"amesh: {source.problem}", file=sys.stderr)


def measure_clips(
    models: Mapping[str, FaceFinder], clips: Sequence[Path], topology: Topology, reference: str
) -> dict[str, dict[str, ClipJitter]]:
    """The jitter of networks on clips.

    The median over the frames counts, so that a blink is not taken for jitter.

    Args:
        models: The networks by name, the reference among them.
        clips: Video files.
        topology: The networks' landmark scheme.
        reference: The network whose eye distance is the unit of length.

    Returns:
        The jitter by title of the clip, then by name of the network.

    Raises:
        UserError: A clip cannot be read.
    """
    found: dict[str, dict[str, ClipJitter]] = {}
    for clip in clips:
        tracks = follow(models, read_frames(clip), clip.name, topology)
        length = _length(tracks, reference, topology)
        title = clip.name if clip.name not in found else str(clip)
        found[title] = {name: _clip(tracks[name], length, topology) for name in models}
    return found


def follow(
    models: Mapping[str, FaceFinder],
    frames: Iterator[UInt8[np.ndarray, "h w 3"]],
    title: str,
    topology: Topology,
) -> dict[str, list[Track]]:
    """The landmarks of the face that each network follows: its tracks, of three frames or more."""
    regions: dict[str, Roi | None] = dict.fromkeys(models)
    tracks: dict[str, list[list[np.ndarray]]] = {name: [] for name in models}
    for frame in tqdm(frames, title, unit="frame", disable=not sys.stderr.isatty()):
        for name, model in models.items():
            region = regions[name]
            if region is None:
                faces = model(frame)
                if faces:
                    # Not measured: a detector's crop differs from those that tracking gives.
                    largest = max(faces, key=lambda face: float(np.ptp(face.landmarks[:, 0])))
                    regions[name] = face_roi(largest.landmarks[:, :2], topology)
                    tracks[name].append([])
                continue
            [face] = model(frame, region)
            if face.score < _LOST or not np.isfinite(face.landmarks).all():
                regions[name] = None
                continue
            tracks[name][-1].append(face.landmarks.astype(np.float64))
            regions[name] = face_roi(face.landmarks[:, :2], topology)
    return {
        name: [np.stack(part) for part in parts if len(part) >= 3] for name, parts in tracks.items()
    }


def _length(tracks: Mapping[str, Sequence[Track]], reference: str, topology: Topology) -> float:
    """Median distance between the outer eye corners over a clip [px], the unit for all networks.

    As predicted by the reference or, if it saw no face, by the first network that did.
    """
    seen = next((found for found in (tracks[reference], *tracks.values()) if found), [])
    if not seen:
        return float("nan")
    track = np.concatenate(list(seen))
    first, second = topology.normalisers["outer_eye_corners"]
    return float(np.median(np.linalg.norm(track[:, first] - track[:, second], axis=-1)))


def _clip(tracks: Sequence[Track], length: float, topology: Topology) -> ClipJitter:
    values = [_parts(track, length, topology) for track in tracks]
    if not values:
        return ClipJitter({}, 0)
    joined = {part: np.concatenate([value[part] for value in values]) for part in values[0]}
    medians = {part: float(np.median(value)) for part, value in joined.items()}
    return ClipJitter(medians, len(joined[WHOLE]))


def _parts(track: Track, length: float, topology: Topology) -> dict[str, Float[np.ndarray, " u"]]:
    """Jitter of each part in each frame [%]: root mean square over its landmarks."""
    lengths = np.full(len(track), length)
    jitter = landmark_jitter(track[..., :2], lengths)
    found = {ALL: jitter}
    for name, points in topology.outputs.items():
        found[name] = jitter[:, list(points)]
    parts = {name: np.asarray(np.sqrt((part**2).mean(1))) for name, part in found.items()}
    return parts | {WHOLE: face_jitter(track[..., :2], lengths)}
