"""Faces followed in clips: jitter and lag, blinks, losses."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from amesh.charts import Panel, Point, line_charts
from amesh.evaluation.clips import FaceFollower, follow
from amesh.evaluation.comparison import Comparison
from amesh.evaluation.evaluated import Evaluated
from amesh.evaluation.markdown import interval, number, table
from amesh.evaluation.over_time import ALL, OverTime, measure
from amesh.evaluation.table import Table
from amesh.evaluation.tracks import ClipTracks
from amesh.metrics.bootstrap import Interval
from amesh.topology.scheme import Topology

_CHART = "over_time.svg"

_NOTE = """\
Each program follows the faces of a clip; every network with each of the smoothings. Jitter and lag
belong together: a filter trades one for the other.

* `jitter`: distance from a fit over time that has no lag (a parabola through nine frames; at an
  even frame rate, the filter of Savitzky and Golay), on the 30 % of frames in which the face moves
  least. Scaled so that independent errors of single frames give the typical distance of a landmark
  from its true place. In % of the distance between the outer eye corners, which each program sees
  for itself (its median over the clip). Root mean square over the landmarks, median over the
  frames. Unknown where the face is never still: faster than 0.4 eye distances a second.
* `lag`: the delay by which the unsmoothed landmarks have to be shifted to match the smoothed ones,
  on the 30 % of frames in which the face moves most; 8 frames at most. Unknown where a program's
  records lack the unsmoothed landmarks, or where the face never moves: slower than 0.1 eye
  distances a second.
* `step`: how far landmarks move from one still frame to the next, in % of the eye distance.
* `blinks kept`: of the depth of the blinks in the unsmoothed landmarks, the part that smoothing
  leaves, on average.
* `faces`: frames with a face. `losses`: how often a face was gone in the next frame. `ids`:
  different identities; `returns`: how often one came back. Whoever gives a face a new identity when
  it comes back has more ids and no returns.

A mean is over the clips in which a program could be measured, with its interval over clips; a
change is over those in which both could. evaluation.json has the jitter of each part of the
face."""


@dataclass(frozen=True)
class ProgramRow:
    """How a program does over all clips.

    Attributes:
        program: What tables call it.
        line: What the chart calls its line: the network, whatever its smoothing.
        label: Its point on that line: the smoothing.
        jitter: By part of the face [% of the distance between the outer eye corners].
        change: Of the jitter of all landmarks against the reference [%]; None for itself.
        step: [% of the distance between the outer eye corners].
        lag_frames: [frames].
        lag: [s].
        blinks: Blinks that it saw.
        blinks_kept: [%].
        share: Frames with a face, mean over the clips [%].
        ids: Different identities, over all clips.
        losses: Over all clips.
        returns: Over all clips.
    """

    program: str
    line: str
    label: str
    jitter: dict[str, Interval]
    change: Interval | None
    step: Interval
    lag_frames: Interval
    lag: Interval
    blinks: int
    blinks_kept: Interval
    share: float
    ids: int
    losses: int
    returns: int


@dataclass(frozen=True)
class OverTimeRows:
    """What programs did on clips.

    Attributes:
        programs: Over all clips.
        clips: By the clip's title, then by the program.
    """

    programs: list[ProgramRow]
    clips: dict[str, dict[str, OverTime]]


def measure_clips(
    trackers: Mapping[str, FaceFollower],
    recorded: Mapping[str, Mapping[Path, ClipTracks]],
    clips: Sequence[Path],
    topology: Topology,
) -> dict[str, dict[str, OverTime]]:
    """Measures trackers and records on clips, one clip after the other.

    Returns:
        By the title of the clip, then by the name of the tracker or of the records.

    Raises:
        UserError: A clip cannot be read.
    """
    found: dict[str, dict[str, OverTime]] = {}
    for clip in clips:
        tracks = follow(trackers, clip, topology.points) if trackers else {}
        tracks |= {name: records[clip] for name, records in recorded.items()}
        frames = max((each.frames for each in tracks.values()), default=0)
        title = clip.name if clip.name not in found else str(clip)
        found[title] = {
            name: measure(replace(each, frames=frames), topology) for name, each in tracks.items()
        }
    return found


def program_rows(
    clips: Mapping[str, Mapping[str, OverTime]],
    points: Mapping[str, tuple[str, str]],
    comparison: Comparison,
) -> list[ProgramRow]:
    """Means over the clips.

    Args:
        clips: What `measure_clips` returns.
        points: The programs, and for each the line of the chart and its label on it.
        comparison: The reference, and the bootstrap, which draws clips.
    """
    return [_row(clips, program, *points[program], comparison) for program in points]


def _row(
    clips: Mapping[str, Mapping[str, OverTime]],
    program: str,
    line: str,
    label: str,
    comparison: Comparison,
) -> ProgramRow:
    seen = [clip[program] for clip in clips.values()]

    def mean(found: Sequence[float]) -> Interval:
        values = np.array(found)
        return comparison.mean(values[~np.isnan(values)])

    parts = dict.fromkeys(part for one in seen for part in one.jitter)
    ours, theirs = (
        np.array([clip[name].jitter.get(ALL, np.nan) for clip in clips.values()])
        for name in (program, comparison.reference)
    )
    both = ~np.isnan(ours + theirs)
    itself = program == comparison.reference
    return ProgramRow(
        program=program,
        line=line,
        label=label,
        jitter={part: mean([one.jitter.get(part, math.nan) for one in seen]) for part in parts},
        change=None if itself else comparison.change(ours[both], theirs[both]),
        step=mean([one.step for one in seen]),
        lag_frames=mean([one.lag / one.interval for one in seen]),
        lag=mean([one.lag for one in seen]),
        blinks=sum(one.blinks for one in seen),
        blinks_kept=mean([one.blinks_kept for one in seen]),
        share=float(np.mean([one.continuity.share for one in seen])),
        ids=sum(one.continuity.ids for one in seen),
        losses=sum(one.continuity.losses for one in seen),
        returns=sum(one.continuity.returns for one in seen),
    )


def over_time_section(rows: OverTimeRows) -> str:
    """A table of the programs, the chart, and jitter and lag clip by clip."""
    heads = ["program", "jitter [%]", "change [%]", "lag [frames]", "lag [ms]", "step [%]"]
    heads += ["blinks", "blinks kept [%]", "faces [%]", "ids", "losses", "returns"]
    body = [
        [
            row.program,
            interval(row.jitter[ALL], ".3f") if ALL in row.jitter else "-",
            "" if row.change is None else interval(row.change, "+.1f"),
            interval(row.lag_frames),
            number(1000 * row.lag.value, ".0f"),
            number(row.step.value, ".3f"),
            str(row.blinks),
            number(row.blinks_kept.value, ".0f"),
            *(f"{row.share:.1f}", str(row.ids), str(row.losses), str(row.returns)),
        ]
        for row in rows.programs
    ]
    blocks = [table(heads, body), f"![Jitter against lag]({_CHART})"]
    if len(rows.clips) > 1:
        blocks += [
            "Clip by clip: jitter [%] / lag [frames]",
            table(
                ["clip", *(row.program for row in rows.programs)],
                [
                    [title, *(_both(clip[row.program]) for row in rows.programs)]
                    for title, clip in rows.clips.items()
                ],
            ),
        ]
    return "\n\n".join(blocks)


def over_time_chart(rows: OverTimeRows) -> str:
    """Jitter against lag as SVG: a point for each program, a line for each network.

    The network with the most jitter, whose line is the highest, names the smoothings for all.
    """
    measured = [row for row in rows.programs if ALL in row.jitter]
    networks = [row for row in measured if row.label]
    highest = max(networks, key=lambda row: row.jitter[ALL].value, default=None)
    lines: dict[str, list[Point]] = {}
    for row in measured:
        named = highest is not None and row.line == highest.line
        label = row.label if named else ""
        point = Point(row.lag_frames.value, row.jitter[ALL].value, label=label)
        lines.setdefault(row.line, []).append(point)
    ordered = {name: sorted(points) for name, points in lines.items()}
    return line_charts([Panel("Jitter against lag", "lag [frames]", ordered)], "jitter [%]")


def _both(found: OverTime) -> str:
    jitter = number(found.jitter.get(ALL, math.nan), ".3f")
    return f"{jitter} / {number(found.lag / found.interval, '.2f')}"


def _compute(evaluated: Evaluated) -> OverTimeRows | None:
    clips = evaluated.wanted.videos
    if not clips:
        return None
    points: dict[str, tuple[str, str]] = {}
    trackers: dict[str, FaceFollower] = {}
    for model, by_smoothing in evaluated.trackers.items():
        for smoothing, tracker in by_smoothing.items():
            program = f"{model}, {smoothing}"
            points[program], trackers[program] = (model, smoothing), tracker
    points |= {name: (name, "") for name in evaluated.recorded}
    found = measure_clips(trackers, evaluated.recorded, clips, evaluated.topology)
    # A network that is the reference stands for its first smoothing.
    chosen = evaluated.comparison(line for line, _ in points.values())
    named = [name for name, (line, _) in points.items() if line == chosen.reference]
    comparison = replace(chosen, reference=named[0])
    return OverTimeRows(program_rows(found, points, comparison), found)


OVER_TIME = Table(
    key="over_time",
    title="Faces over time",
    note=_NOTE,
    compute=_compute,
    section=over_time_section,
    files=lambda rows: {_CHART: over_time_chart(rows).encode()},
)
