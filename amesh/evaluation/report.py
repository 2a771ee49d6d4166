"""An evaluation as Markdown to read and as JSON to work with."""

import json
import math
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from typing import Any

from amesh.evaluation import sections
from amesh.evaluation.agreement import Agreement
from amesh.evaluation.robustness import Curve
from amesh.evaluation.tables import THRESHOLD, DetectionRow, OffsetRow, Row
from amesh.files import write_atomically
from amesh.metrics.bootstrap import Interval

# What a reader has to know to use the figures, kept with them.
_NOTES = """\
Errors are mean distances in % of the distance between the labelled outer eye corners;
`..._by_width`: of the width of the same eye or of the lips (the paper's Table 2); on AFLW2000-3D:
of the square root of the area of the labels' box. `inner_51`, `eyes`, `lips`, `all_68`: the
68-point scheme through the topology's `ibug68` map, point by point. `pupils`: labelled pupil to
predicted iris centre. `irises`, `lids`, `lip_outlines`: labelled points to the predicted outline,
wherever on it; of the irises the sides and the bottom, which no lid covers. `eye_corners`,
`lip_corners`: point by point. In brackets: 95 % bootstrap intervals; pictures are drawn one by
one, or person by person where the labels name the person, so where they do not and people recur
the intervals are too narrow. Change: paired, on the faces that both found, against the first
column."""


_CURVE_NOTE = f"""\
Share of faces missed or with an error above {THRESHOLD:g} %, and area under the cumulative error
curve up to there; each group by its first measure."""

_OFFSET_NOTE = """\
Scatter averages out here; what stays is a displaced crop, labels displaced as a whole, or points
that the two schemes place differently."""


@dataclass(frozen=True)
class Report:
    """Everything an evaluation found.

    Attributes:
        about: How it was made: version, data, options.
        detection: Faces found by the full pipeline.
        full: Errors of the full pipeline.
        in_roi: Errors in the regions that labels give.
        offsets: Mean displacement of the full pipeline's predictions.
        agreement: How far sets of predictions are from each other.
        robustness: Errors against misplaced regions, by the name of the network.
        failed: Pictures that could not be read, and why.
    """

    about: dict[str, Any]
    detection: list[DetectionRow] = field(default_factory=list)
    full: list[Row] = field(default_factory=list)
    in_roi: list[Row] = field(default_factory=list)
    offsets: list[OffsetRow] = field(default_factory=list)
    agreement: list[Agreement] = field(default_factory=list)
    robustness: dict[str, list[Curve]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def write(report: Report, folder: Path) -> list[Path]:
    """Writes `evaluation.md` and `evaluation.json`, and a chart of the robustness if there is any.

    Raises:
        UserError: The folder cannot be written to.
    """
    files = {
        "evaluation.json": json.dumps(_plain(report), indent=1, allow_nan=False) + "\n",
        "evaluation.md": markdown(report),
    }
    chart = sections.robustness_chart(report.robustness)
    if chart is not None:
        files["robustness.svg"] = chart
    for name, text in files.items():
        write_atomically(folder / name, text.encode())
    return [folder / name for name in files]


def markdown(report: Report) -> str:
    """The report as Markdown."""
    about = [f"* {key}: {_inline(value)}" for key, value in report.about.items()]
    blocks = ["# Evaluation", "\n".join(about), _NOTES]
    if report.detection:
        blocks += ["## Faces found [%]", sections.detection_section(report.detection)]
    if report.full:
        blocks += ["## Full pipeline: error on the faces found [%]"]
        blocks += [sections.errors_section(report.full)]
        blocks += [f"## Full pipeline: FR@{THRESHOLD:g} and AUC@{THRESHOLD:g} [%]", _CURVE_NOTE]
        blocks += [sections.failures_section(report.full)]
    if report.in_roi:
        blocks += ["## Region of interest taken from the labels: error [%]"]
        blocks += [sections.errors_section(report.in_roi)]
    if report.offsets:
        blocks += ["## Full pipeline: mean displacement against the labels, right and down [%]"]
        blocks += [_OFFSET_NOTE, sections.offsets_section(report.offsets)]
    if report.agreement:
        blocks += ["## Distance between predictions [% of the outer eye distance]"]
        blocks += [sections.agreement_section(report.agreement)]
    if report.robustness:
        blocks += ["## Error against misplaced regions of interest [%]"]
        blocks += [sections.robustness_section(report.robustness)]
        blocks += ["![Error against misplacement](robustness.svg)"]
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
