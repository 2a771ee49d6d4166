"""Temporal jitter: how much landmarks tremble on video, and on a still face that is seen again.

On video each network follows a face by its own landmarks, as a tracker does: the region of interest
of a frame comes from the landmarks of the frame before. A face that is lost ends the track.

What each network moves is measured by the same length: else one that sees less depth, and so a
shorter line between the eyes of a turned head, would seem to tremble more.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from tqdm import tqdm

from amesh.errors import UserError
from amesh.evaluation.labels.template_fit import face_roi
from amesh.evaluation.models import FaceFinder
from amesh.evaluation.tables.accuracy import Comparison
from amesh.geometry.roi import Roi
from amesh.metrics.bootstrap import Interval
from amesh.metrics.shaking import face_jitter, landmark_jitter
from amesh.topology.scheme import Topology

Track = Float[np.ndarray, "t n 3"]

# A face with a lower score is lost.
_LOST = 0.5
ALL = "all landmarks"
WHOLE = "face as a whole"
ALL_CLIPS = "mean of the clips"


@dataclass(frozen=True)
class JitterRow:
    """Jitter of a part of the face.

    Attributes:
        clip: Of which clip, or over all.
        part: Of the face.
        frames: How many frames were measured, by the name of the network; faces, for a still.
        jitter: By the name of the network [% of the distance between the outer eye corners].
        change: Against the reference, over the clips that both measured [%]; of the others only.
    """

    clip: str
    part: str
    frames: dict[str, int]
    jitter: dict[str, Interval]
    change: dict[str, Interval]


def read_frames(path: Path) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """The frames of a video, RGB.

    Raises:
        UserError: It is missing, or no video that can be read.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; give a video")
    capture = cv2.VideoCapture(str(path))
    try:
        number = 0
        while (found := capture.read())[0]:
            number += 1
            yield cv2.cvtColor(found[1], cv2.COLOR_BGR2RGB)
        if not number:
            raise UserError(f"{path}: not a video that can be read")
    finally:
        capture.release()


def video_jitter(
    models: Mapping[str, FaceFinder], clips: Sequence[Path], topology: Topology, how: Comparison
) -> list[JitterRow]:
    """Jitter of networks on clips: each clip by itself, and the mean over all clips.

    A clip counts with the median over its frames, so that a blink is not taken for jitter.

    Args:
        models: Networks by name, the reference among them.
        clips: Video files.
        topology: Of the networks.
        how: What the networks are compared with, and the bootstrap; clips are drawn.

    Raises:
        UserError: A clip cannot be read.
    """
    rows: list[JitterRow] = []
    # By clip, network and part of the face.
    medians: dict[str, dict[str, dict[str, float]]] = {}
    frames: dict[str, dict[str, int]] = {}
    for clip in clips:
        tracks = follow(models, read_frames(clip), clip.name, topology)
        length = _length(tracks, how.reference, topology)
        found = {name: _clip(tracks[name], length, topology) for name in models}
        title = clip.name if clip.name not in medians else str(clip)
        medians[title] = {name: values for name, (values, _) in found.items()}
        frames[title] = {name: count for name, (_, count) in found.items()}
    parts = dict.fromkeys(
        part for clip in medians.values() for values in clip.values() for part in values
    )
    together = {ALL_CLIPS: list(medians)} if len(medians) > 1 else {}
    for shown, titles in (together | {title: [title] for title in medians}).items():
        total = {name: sum(frames[title][name] for title in titles) for name in models}
        for part in parts:
            table = {
                name: np.array([medians[title][name].get(part, np.nan) for title in titles])
                for name in models
            }
            rows.append(summarise(shown, part, total, table, how))
    return rows


def follow(
    models: Mapping[str, FaceFinder],
    frames: Iterator[UInt8[np.ndarray, "h w 3"]],
    title: str,
    topology: Topology,
) -> dict[str, list[Track]]:
    """Runs all networks over a clip that is read once."""
    regions: dict[str, Roi | None] = dict.fromkeys(models)
    tracks: dict[str, list[list[np.ndarray]]] = {name: [] for name in models}
    for frame in tqdm(frames, title, unit="frame", disable=not sys.stderr.isatty()):
        for name, model in models.items():
            region = regions[name]
            if region is None:
                faces = model(frame)
                if faces:
                    # What a detector's region shows differs from what tracking shows: not counted.
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
    """Median distance between the outer eye corners over a clip [px], for all networks.

    As the reference sees it; where it saw no face, the first network that did.
    """
    seen = next((found for found in (tracks[reference], *tracks.values()) if found), [])
    if not seen:
        return float("nan")
    track = np.concatenate(list(seen))
    first, second = topology.normalisers["outer_eye_corners"]
    return float(np.median(np.linalg.norm(track[:, first] - track[:, second], axis=-1)))


def _clip(
    tracks: Sequence[Track], length: float, topology: Topology
) -> tuple[dict[str, float], int]:
    """The median jitter of each part over the frames of a clip, and how many these are."""
    values = [_parts(track, length, topology) for track in tracks]
    if not values:
        return {}, 0
    joined = {part: np.concatenate([value[part] for value in values]) for part in values[0]}
    count = len(joined[WHOLE])
    return {part: float(np.median(value)) for part, value in joined.items()}, count


def _parts(track: Track, length: float, topology: Topology) -> dict[str, Float[np.ndarray, " u"]]:
    """Jitter of each part in each frame [%]: root mean square over its landmarks."""
    lengths = np.full(len(track), length)
    trembling = landmark_jitter(track[..., :2], lengths)
    found = {ALL: trembling}
    for name, points in topology.outputs.items():
        found[name] = trembling[:, list(points)]
    parts = {name: np.asarray(np.sqrt((part**2).mean(1))) for name, part in found.items()}
    return parts | {WHOLE: face_jitter(track[..., :2], lengths)}


def summarise(
    clip: str,
    part: str,
    frames: dict[str, int],
    table: Mapping[str, Float[np.ndarray, " c"]],
    how: Comparison,
    people: Int[np.ndarray, " c"] | None = None,
) -> JitterRow:
    """Means over the clips (or faces) that each measured; changes over those that both did.

    Args:
        clip: Their name.
        part: Of the face.
        frames: How many frames each network was measured on.
        table: The figures of each network, not-a-number where it has none.
        how: What the networks are compared with, and the bootstrap.
        people: Who each figure is of: whole persons are drawn; by default each figure.
    """
    reference = table[how.reference]
    change, jitter = {}, {}
    for name, values in table.items():
        known = ~np.isnan(values)
        jitter[name] = how.mean(values[known], _of(people, known))
        if name != how.reference:
            both = known & ~np.isnan(reference)
            change[name] = how.change(values[both], reference[both], _of(people, both))
    return JitterRow(clip, part, dict(frames), jitter, change)


def _of(
    people: Int[np.ndarray, " c"] | None, chosen: Bool[np.ndarray, " c"]
) -> Int[np.ndarray, " k"] | None:
    return None if people is None else people[chosen]
