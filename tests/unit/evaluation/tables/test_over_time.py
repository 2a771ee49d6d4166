import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from evaluated_faces import cells
from followed_faces import RATE, shaking, tracks

from amesh.evaluation.comparison import Comparison
from amesh.evaluation.over_time import ALL
from amesh.evaluation.tables.over_time import (
    OverTimeRows,
    measure_clips,
    over_time_chart,
    over_time_section,
    program_rows,
)
from amesh.evaluation.tracks import ClipTracks
from amesh.metrics.bootstrap import Interval
from amesh.topology.scheme import Topology

Pose = Callable[..., np.ndarray]
NOISE = 100 * 0.3 * np.sqrt(2) / 60
CLIPS = [Path("x/a.mp4"), Path("y/a.mp4")]
POINTS = {"net, off": ("net", "off"), "net, light": ("net", "light"), "theirs": ("theirs", "")}


def _moving(times: np.ndarray) -> np.ndarray:
    return np.where(times < 1, 0, 10 * np.sin(2 * np.pi * (times - 1)))


@pytest.fixture
def rows(topology: Topology, pose: Pose) -> OverTimeRows:
    """A network, the same smoothed with half of the jitter and a lag of a frame; `theirs` sees one
    clip only, lost for a while and without unsmoothed landmarks."""

    def clip(noise: float, delay: float = 0.0, seed: int = 0) -> tuple[ClipTracks, ClipTracks]:
        raw = shaking(pose(), 105, noise, _moving, seed)
        late = shaking(
            pose(), 105, noise / 2, lambda times: _moving(times - delay / RATE), seed + 1
        )
        return tracks(raw, raw), tracks(late, raw)

    first, second = clip(0.3, 1.0), clip(0.6, 1.0, 5)
    lost = tracks(shaking(pose(), 105, 0.3), without=[50, 51])
    recorded = {
        "net, off": dict(zip(CLIPS, (first[0], second[0]), strict=True)),
        "net, light": dict(zip(CLIPS, (first[1], second[1]), strict=True)),
        "theirs": dict(zip(CLIPS, (lost, ClipTracks(0, {})), strict=True)),
    }
    found = measure_clips({}, recorded, CLIPS, topology)
    return OverTimeRows(program_rows(found, POINTS, Comparison("net, off", 50, 0)), found)


def test_rows_are_means_over_the_clips(rows: OverTimeRows) -> None:
    raw, smoothed, theirs = rows.programs
    assert raw.jitter[ALL].value == pytest.approx(1.5 * NOISE, rel=0.05)
    assert smoothed.jitter[ALL].value == pytest.approx(0.75 * NOISE, rel=0.05)
    assert raw.change is None
    assert smoothed.change is not None
    assert smoothed.change.value == pytest.approx(-50, abs=3)
    assert raw.lag_frames.value == pytest.approx(0, abs=0.05)
    assert smoothed.lag_frames.value == pytest.approx(1, abs=0.05)
    assert smoothed.lag.value == pytest.approx(1 / RATE, abs=0.05 / RATE)
    assert (raw.share, raw.ids, raw.losses, raw.returns) == (100, 2, 0, 0)
    # Only one clip shows it; the other is without a face.
    assert theirs.jitter[ALL].value == pytest.approx(NOISE, rel=0.05)
    assert theirs.change is not None
    assert theirs.change.value == pytest.approx(0, abs=5)
    assert np.isnan(theirs.lag_frames.value)
    assert theirs.share == pytest.approx((100 * 103 / 105) / 2)
    assert (theirs.ids, theirs.losses, theirs.returns) == (1, 1, 1)


def test_clips_of_one_name_are_told_apart(rows: OverTimeRows) -> None:
    assert list(rows.clips) == ["a.mp4", "y/a.mp4"]


def test_section_shows_jitter_and_lag_side_by_side(rows: OverTimeRows) -> None:
    text = over_time_section(rows)
    table = cells(text)
    assert table[0][:4] == ["program", "jitter [%]", "change [%]", "lag [frames]"]
    assert [line[0] for line in table[2:5]] == list(POINTS)
    jitter = rows.clips["a.mp4"]["net, light"].jitter[ALL]
    lag = rows.clips["a.mp4"]["net, light"].lag * RATE
    clips = table[5:]
    assert clips[0] == ["clip", *POINTS]
    assert clips[2][2] == f"{jitter:.3f} / {lag:.2f}"
    assert clips[3][3] == "- / -"
    [name] = rows.clips.keys() - {"a.mp4"}
    alone = OverTimeRows(rows.programs, {name: rows.clips[name]})
    assert "Clip by clip" not in over_time_section(alone)


def test_chart_has_a_line_for_each_network_and_a_dot_for_each_smoothing(
    rows: OverTimeRows,
) -> None:
    svg = "{http://www.w3.org/2000/svg}"
    root = ElementTree.fromstring(over_time_chart(rows))
    texts = [text.text for text in root.iter(f"{svg}text")]
    assert {"net", "theirs", "off", "light", "lag [frames]", "jitter [%]"} <= set(texts)
    assert len(list(root.iter(f"{svg}circle"))) == 2  # the lag of theirs is unknown
    calmer = [
        replace(row, line="calmer", jitter={ALL: Interval(0.1, 0.1, 0.1)})
        for row in rows.programs[:2]
    ]
    both = replace(rows, programs=[*calmer, *rows.programs])
    root = ElementTree.fromstring(over_time_chart(both))
    texts = [text.text for text in root.iter(f"{svg}text")]
    assert (texts.count("calmer"), texts.count("off"), texts.count("light")) == (1, 1, 1)
