"""Temporal jitter, on video and on still faces."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.comparison import Comparison
from amesh.evaluation.evaluated import Evaluated
from amesh.evaluation.jitter_clips import ALL, measure_clips
from amesh.evaluation.jitter_still import measure_still
from amesh.evaluation.labels.read import persons
from amesh.evaluation.markdown import interval, table
from amesh.evaluation.models import FaceFinder
from amesh.evaluation.table import Table
from amesh.metrics.bootstrap import Interval
from amesh.topology.scheme import Topology

_NOTE = """\
In % of the 3-D distance between the outer eye corners, which is the same for all networks: on a
clip the reference's median, on a still face that of the label (if it has too few points, that of
the mean face fitted to them).

Clips: each network follows the face by its own landmarks. With `a[t] = q[t-1] - 2 p[t] + q[t+1]`,
where q are the neighbouring frames aligned to frame t by the best similarity, the jitter of a frame
is |a| / sqrt(6), root mean square over the part's landmarks. If errors are independent from frame
to frame, this is how far a landmark typically lies from its true place. `face as a whole` is the
same for the mean of all landmarks, without the alignment. A clip counts by the median over its
frames; intervals and changes are over clips. evaluation.json has every part of the face for every
clip.

Still faces: root mean square distance from the mean of 16 crops, each with the region of interest
shifted by up to 0.25 % of its side and with noise of 2 of 255 on every pixel; intervals are over
persons. `measured` counts frames, or faces, for each network."""

ALL_CLIPS = "mean of the clips"
STILL = "still faces"


@dataclass(frozen=True)
class JitterRow:
    """Jitter of a part of the face.

    Attributes:
        clip: Title of the clip, `ALL_CLIPS` or `STILL`.
        part: Part of the face.
        frames: Number of frames measured, or of still faces, by the name of the network.
        jitter: By the name of the network [% of the distance between the outer eye corners].
        change: Against the reference, over the clips or faces that both measured [%]; by the name
            of the network, without the reference.
    """

    clip: str
    part: str
    frames: dict[str, int]
    jitter: dict[str, Interval]
    change: dict[str, Interval]


def clip_rows(
    models: Mapping[str, FaceFinder],
    clips: Sequence[Path],
    topology: Topology,
    comparison: Comparison,
) -> list[JitterRow]:
    """Jitter on clips: the mean over all of them if there are several, and each by itself.

    Args:
        models: The networks by name, the reference among them.
        clips: Video files.
        topology: The networks' landmark scheme.
        comparison: The reference, and the bootstrap, which draws clips.

    Raises:
        UserError: A clip cannot be read.
    """
    found = measure_clips(models, clips, topology, comparison.reference)
    parts = dict.fromkeys(
        part for clip in found.values() for one in clip.values() for part in one.medians
    )
    together = {ALL_CLIPS: list(found)} if len(found) > 1 else {}
    rows = []
    for shown, titles in (together | {title: [title] for title in found}).items():
        frames = {name: sum(found[title][name].frames for title in titles) for name in models}
        for part in parts:
            values = {
                name: np.array([found[title][name].medians.get(part, np.nan) for title in titles])
                for name in models
            }
            rows.append(_row(shown, part, frames, values, comparison))
    return rows


def still_rows(
    models: Mapping[str, FaceFinder],
    labels: Sequence[LabelledFace],
    topology: Topology,
    faces: int,
    comparison: Comparison,
    read: Callable[[Path], UInt8[np.ndarray, "h w 3"]],
) -> list[JitterRow]:
    """Jitter on still faces.

    Args:
        models: The networks by name, the reference among them.
        labels: Faces with regions of interest.
        topology: The networks' landmark scheme.
        faces: Number of faces to take, spread over the sources.
        comparison: The reference, and the bootstrap, which draws persons.
        read: Reads a picture.
    """
    found, measured = measure_still(models, labels, topology, faces, comparison.seed, read)
    frames = dict.fromkeys(models, len(measured))
    return [
        _row(
            STILL,
            part,
            frames,
            {name: np.array([one[part] for one in values]) for name, values in found.items()},
            comparison,
            persons(measured),
        )
        for part in next((list(values[0]) for values in found.values() if values), [])
    ]


def jitter_section(rows: Sequence[JitterRow]) -> str:
    """Jitter by clip, and by part of the face where there is a mean over clips."""
    clips = {row.clip for row in rows} - {ALL_CLIPS, STILL}
    rows = [row for row in rows if row.part == ALL or row.clip not in clips or len(clips) == 1]
    names = list(rows[0].jitter)
    compared = list(rows[0].change)
    heads = ["clip", "part", "measured", *names, *(f"{name}: change [%]" for name in compared)]
    body = [
        [row.clip, row.part, ", ".join(map(str, row.frames.values()))]
        + [interval(row.jitter[name], ".3f") for name in names]
        + [interval(row.change[name], "+.2f") for name in compared]
        for row in rows
    ]
    return table(heads, body)


def _row(
    clip: str,
    part: str,
    frames: dict[str, int],
    values: Mapping[str, Float[np.ndarray, " c"]],
    comparison: Comparison,
    people: Int[np.ndarray, " c"] | None = None,
) -> JitterRow:
    """Means over the clips or faces that each network measured; changes over those that both did.

    Args:
        clip: What the row calls them.
        part: Part of the face.
        frames: Number of frames each network was measured on.
        values: The figures of each network, NaN where it has none.
        comparison: The reference, and the bootstrap.
        people: The person behind each figure, to draw whole persons; by default each is drawn by
            itself.
    """
    reference = values[comparison.reference]
    change, jitter = {}, {}
    for name, ours in values.items():
        known = ~np.isnan(ours)
        jitter[name] = comparison.mean(ours[known], _of(people, known))
        if name != comparison.reference:
            both = known & ~np.isnan(reference)
            change[name] = comparison.change(ours[both], reference[both], _of(people, both))
    return JitterRow(clip, part, dict(frames), jitter, change)


def _of(
    people: Int[np.ndarray, " c"] | None, chosen: Bool[np.ndarray, " c"]
) -> Int[np.ndarray, " k"] | None:
    return None if people is None else people[chosen]


def _compute(evaluated: Evaluated) -> list[JitterRow] | None:
    models, wanted, topology = evaluated.models, evaluated.wanted, evaluated.topology
    if not models or not (wanted.videos or wanted.still):
        return None
    comparison = evaluated.comparison(models)
    rows = clip_rows(models, wanted.videos, topology, comparison)
    rows += still_rows(models, evaluated.labels, topology, wanted.still, comparison, evaluated.read)
    return rows or None


JITTER = Table(
    key="jitter",
    title="Temporal jitter [%]",
    note=_NOTE,
    compute=_compute,
    section=jitter_section,
)
