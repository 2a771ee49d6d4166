"""An evaluation as Markdown to read and as JSON to work with."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from typing import Any

from amesh.evaluation.report import sections
from amesh.evaluation.tables.accuracy import (
    FEW,
    MARGIN,
    THRESHOLD,
    DetectionRow,
    OffsetRow,
    Row,
    Worse,
)
from amesh.evaluation.tables.agreement import Agreement
from amesh.evaluation.tables.face_flag import PRESENT, FlagRow, flag_section
from amesh.evaluation.tables.jitter import JitterRow
from amesh.evaluation.tables.robustness import Curve
from amesh.evaluation.tables.table_2 import Table2, table_2_section
from amesh.files import write_atomically
from amesh.metrics.bootstrap import Interval

# What a reader has to know to use the figures, kept with them.
_NOTES = f"""\
Errors are mean 2-D distances in % of the distance between the labelled outer eye corners (3-D where
the labels are); `..._by_width`: of the width of the same eye or of the lips (the paper's Table 2);
on AFLW2000-3D: of the square root of the area of the labels' box. `all`: every landmark, against
labels in the network's own scheme; of these, `eyes` are all points of the eye regions (lids, rings
around them, brows) and `lips` all of the lip region. `inner_N`, `all_N`, and `eyes` and `lips` of
people's labels: N labelled points, one to one through the topology's map; `inner` leaves the jaw
out. `pupils`: labelled pupil to predicted iris centre. `irises`, `lids`, `lip_outlines` of people's
labels: labelled points to the predicted outline, wherever on it; of the irises the sides and the
bottom, which no lid covers. `eye_corners`, `lip_corners`: point by point. In brackets: 95 %
bootstrap intervals; pictures are drawn one by one, or person by person where the labels name the
person, so where they do not and people recur the intervals are too narrow. Change: paired, on the
faces that both found, against the reference. `few`: fewer than {FEW} faces."""

_CURVE_NOTE = f"""\
Share of faces missed or with an error above {THRESHOLD:g} %, and area under the cumulative error
curve up to there; each group by its first measure."""

_OFFSET_NOTE = """\
Scatter averages out here; what stays is a displaced crop, labels displaced as a whole, or points
that the two schemes place differently."""

_BIN_NOTE = """\
Bins come from the labels, never from a prediction. Yaw: from the label where it states it, else the
turn of the mean face fitted to the labelled points (in 3-D where they are). Eyes: mean height over
width between the labelled lids, the more closed eye; below 0.06 closed, below 0.14 narrow; without
depth in the labels a turned head widens them. Mouth: the same between the lips, over the lips'
width; below 0.03 closed. Groups: as the source states them."""

_JITTER_NOTE = """\
In % of the 3-D distance between the outer eye corners, one for all networks: on a clip the
reference's median, on a still face the label's (where it has too few points, that of the mean face
posed on them). On clips each network follows the face by its own landmarks;
`a[t] = q[t-1] - 2 p[t] + q[t+1]`, where q are the neighbouring frames brought onto frame t by the
best similarity, and the jitter of a frame is |a| / sqrt(6), root mean square over the part's
landmarks: for independent errors, how far landmarks lie from their places by chance. `face as a
whole`: the same of the middle of all landmarks, without the similarity. A clip counts with its
median frame; intervals and changes are over clips. Still faces: root mean square distance from the
mean of 16 looks, region of interest moved by up to 0.25 % of its side, noise of 2 of 255 on each
pixel; intervals are over persons. Measured: frames, or faces, of each network. Parts of the face
clip by clip are in evaluation.json."""


_FLAG_NOTE = f"""\
Share of regions that the network calls a face (probability {PRESENT:g} or more): of faces, in the
region that their labels give, and of regions without a face, in the box that the set gives."""


@dataclass
class Report:
    """Everything an evaluation found, part by part.

    Attributes:
        about: How it was made: version, data, options.
        detection: Faces found by the full pipeline.
        flags: Regions called a face, those with a face and those without one.
        table_2: The paper's Table 2, in the regions that labels give.
        in_roi: Errors in the regions that labels give.
        full: Errors of the full pipeline.
        failures: Errors of the full pipeline by pose, for failure rates.
        bins: Errors by pose, eyes, mouth and group of persons, by title.
        worse: Where a network is worse than the reference.
        robustness: Errors against misplaced regions, by the name of the network.
        jitter: On clips and on still faces.
        offsets: Mean displacement of the full pipeline's predictions.
        agreement: How far sets of predictions are from each other.
        pictures: Files beside the report: error maps and sheets, with what they show.
        failed: Pictures that could not be read, and why.
    """

    about: dict[str, Any]
    detection: list[DetectionRow] = field(default_factory=list)
    flags: list[FlagRow] = field(default_factory=list)
    table_2: list[Table2] = field(default_factory=list)
    in_roi: list[Row] = field(default_factory=list)
    full: list[Row] = field(default_factory=list)
    failures: list[Row] = field(default_factory=list)
    bins: dict[str, list[Row]] = field(default_factory=dict)
    worse: list[Worse] | None = None
    robustness: dict[str, list[Curve]] = field(default_factory=dict)
    jitter: list[JitterRow] = field(default_factory=list)
    offsets: list[OffsetRow] = field(default_factory=list)
    agreement: list[Agreement] = field(default_factory=list)
    pictures: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def write(report: Report, folder: Path, pictures: Mapping[str, bytes] | None = None) -> list[Path]:
    """Writes `evaluation.md`, `evaluation.json`, a chart of the robustness if any, and pictures.

    Args:
        report: What was found.
        folder: Where to.
        pictures: Content of the files that the report names.

    Raises:
        UserError: The folder cannot be written to.
    """
    text = json.dumps(_plain(report), indent=1, allow_nan=False) + "\n"
    files = {"evaluation.json": text.encode(), "evaluation.md": markdown(report).encode()}
    chart = sections.robustness_chart(report.robustness)
    if chart is not None:
        files["robustness.svg"] = chart.encode()
    files |= pictures or {}
    for name, content in files.items():
        write_atomically(folder / name, content)
    return [folder / name for name in files]


def markdown(report: Report) -> str:
    """The report as Markdown."""
    about = [f"* {key}: {_inline(value)}" for key, value in report.about.items()]
    blocks = ["# Evaluation", "\n".join(about), _NOTES]
    if report.table_2:
        blocks += ["## Table 2", table_2_section(report.table_2)]
    if report.detection:
        blocks += ["## Faces found [%]", sections.detection_section(report.detection)]
    if report.flags:
        blocks += ["## Face flag: regions called a face [%]", _FLAG_NOTE]
        blocks += [flag_section(report.flags)]
    if report.in_roi:
        blocks += ["## Region of interest taken from the labels: error [%]"]
        blocks += [sections.errors_section(report.in_roi)]
    if report.full:
        blocks += ["## Full pipeline: error on the faces found [%]"]
        blocks += [sections.errors_section(report.full)]
        blocks += [f"## Full pipeline: FR@{THRESHOLD:g} and AUC@{THRESHOLD:g} [%]", _CURVE_NOTE]
        blocks += [sections.failures_section([*report.full, *report.failures])]
    if any(report.bins.values()):
        where = "region of interest taken from the labels" if report.in_roi else "full pipeline"
        blocks += ["## Pose, eyes, mouth and groups: error [%]", f"{_BIN_NOTE} Crops: {where}."]
        for title, rows in report.bins.items():
            blocks += [f"### {title}", sections.errors_section(rows)] if rows else []
    if report.worse is not None:
        blocks += [f"## Worse than the reference by more than {MARGIN:g} %"]
        none = f"Nowhere, on lines with {FEW} faces or more."
        blocks += [sections.worse_section(report.worse) if report.worse else none]
    if report.robustness:
        blocks += ["## Error against misplaced regions of interest [%]"]
        blocks += [sections.robustness_section(report.robustness)]
        blocks += ["![Error against misplacement](robustness.svg)"]
    if report.jitter:
        blocks += ["## Temporal jitter [%]", _JITTER_NOTE, sections.jitter_section(report.jitter)]
    if report.pictures:
        blocks += ["## Where on the face"]
        blocks += [f"![{text}]({name})" for name, text in report.pictures.items()]
    if report.offsets:
        blocks += ["## Full pipeline: mean displacement against the labels, right and down [%]"]
        blocks += [_OFFSET_NOTE, sections.offsets_section(report.offsets)]
    if report.agreement:
        blocks += ["## Distance between predictions [% of the outer eye distance]"]
        blocks += [sections.agreement_section(report.agreement)]
    if report.failed:
        blocks += ["## Pictures that could not be read"]
        blocks += ["\n".join(f"* {reason}" for reason in report.failed.values())]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _inline(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _plain(value: Any) -> Any:
    """What JSON can hold: named fields as objects, not-a-number and infinity as null."""
    if isinstance(value, Interval):
        return {key: _plain(part) for key, part in value._asdict().items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {key: _plain(getattr(value, key)) for key in value.__dataclass_fields__}
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
