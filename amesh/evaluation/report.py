"""An evaluation as Markdown to read and as JSON to work with."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from typing import Any

from amesh.evaluation.agreement import Agreement
from amesh.evaluation.chart import Panel, line_chart
from amesh.evaluation.robustness import Curve
from amesh.evaluation.tables import THRESHOLD, DetectionRow, Row
from amesh.files import write_atomically
from amesh.metrics.bootstrap import Interval

_AXES = {
    "shift": ("shift", "% of the crop's side"),
    "scale": ("scale", "side over the right one"),
    "roll": ("roll", "degrees"),
}

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


@dataclass(frozen=True)
class Report:
    """Everything an evaluation found.

    Attributes:
        about: How it was made: version, data, options.
        detection: Faces found by the full pipeline.
        full: Errors of the full pipeline.
        in_roi: Errors in the regions that labels give.
        agreement: How far sets of predictions are from each other.
        robustness: Errors against misplaced regions, by the name of the network.
        failed: Pictures that could not be read, and why.
    """

    about: dict[str, Any]
    detection: list[DetectionRow] = field(default_factory=list)
    full: list[Row] = field(default_factory=list)
    in_roi: list[Row] = field(default_factory=list)
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
    chart = robustness_chart(report.robustness)
    if chart is not None:
        files["robustness.svg"] = chart
    for name, text in files.items():
        write_atomically(folder / name, text.encode())
    return [folder / name for name in files]


def markdown(report: Report) -> str:
    """The report as Markdown."""
    parts = ["# Evaluation", *[f"* {key}: {_inline(value)}" for key, value in report.about.items()]]
    parts += ["", _NOTES, ""]
    if report.detection:
        parts += ["## Faces found [%]", "", _detection(report.detection), ""]
    if report.full:
        parts += ["## Full pipeline: error on the faces found [%]", "", _errors(report.full), ""]
        title = f"## Full pipeline: failures above {THRESHOLD:g} % and area under the curve [%]"
        parts += [title, "", "A missed face is a failure.", "", _failures(report.full), ""]
    if report.in_roi:
        parts += [
            "## Region of interest taken from the labels: error [%]",
            "",
            _errors(report.in_roi),
            "",
        ]
    if report.agreement:
        title = "## Distance between predictions [% of the outer eye distance]"
        parts += [title, "", _agreement(report.agreement), ""]
    if report.robustness:
        parts += ["## Error against misplaced regions of interest [%]", ""]
        parts += [
            _robustness(report.robustness),
            "",
            "![Error against misplacement](robustness.svg)",
            "",
        ]
    if report.failed:
        parts += ["## Pictures that could not be read", ""]
        parts += [f"* {reason}" for reason in report.failed.values()] + [""]
    return "\n".join(parts)


def _detection(rows: Sequence[DetectionRow]) -> str:
    def rate(row: DetectionRow, name: str) -> str:
        found = round(row.rates[name].value * row.labelled / 100)
        return f"{row.rates[name].value:.1f} ({found} of {row.labelled})"

    names = list(rows[0].rates)
    return _table(["group", *names], [[row.group, *(rate(row, n) for n in names)] for row in rows])


def _errors(rows: Sequence[Row]) -> str:
    names = [cell.model for cell in rows[0].cells]
    heads = ["group", "measure", "faces", *names, *(f"{name}: change [%]" for name in names[1:])]
    body = [
        [row.group, row.measure, _faces(row)]
        + [interval(cell.error) for cell in row.cells]
        + [interval(cell.change, "+.1f") for cell in row.cells if cell.change is not None]
        for row in rows
    ]
    return _table(heads, body)


def _failures(rows: Sequence[Row]) -> str:
    """Failure rates of each group's leading measure."""
    names = [cell.model for cell in rows[0].cells]
    heads = ["group", "measure", "faces"]
    heads += [f"{name}: FR, AUC" for name in names]
    leading = {row.group: row for row in reversed(rows)}
    body = [
        [row.group, row.measure, str(row.labelled)]
        + [f"{cell.failure_rate:.1f}, {cell.auc:.1f}" for cell in row.cells]
        for row in reversed(leading.values())
    ]
    return _table(heads, body)


def _agreement(found: Sequence[Agreement]) -> str:
    heads = ["pair", "pictures", "faces", "mean", "median", "p95", "landmarks' p95"]
    heads += ["shift right, down", "only first", "only second", "missed by one"]
    body = [
        [f"{a.first} - {a.second}", str(a.pictures), str(a.faces)]
        + [f"{value:.3f}" for value in (a.mean, a.median, a.p95, a.landmarks_p95)]
        + [f"{a.shift[0]:+.3f}, {a.shift[1]:+.3f}", str(a.only_first), str(a.only_second)]
        + [f"{a.missed:.2f} %"]
        for a in found
    ]
    return _table(heads, body)


def _robustness(found: dict[str, list[Curve]]) -> str:
    """One table per group and kind, for the group's leading measure."""
    tables = []
    for group, measure, kind in _leading(found):
        lines = _lines(found, group, measure, kind)
        values = [value for value, _ in next(iter(lines.values()))]
        rows = [
            [f"{value:g}", *(interval(line[i][1]) for line in lines.values())]
            for i, value in enumerate(values)
        ]
        title, unit = _AXES[kind]
        heading = f"{group}, `{measure}`, {title} [{unit}]"
        tables.append(f"{heading}\n\n{_table([title, *lines], rows)}")
    return "\n\n".join(tables)


def robustness_chart(found: dict[str, list[Curve]]) -> str | None:
    """The chart of the first group that was measured, as SVG; None where nothing was."""
    leading = _leading(found)
    if not leading:
        return None
    group, measure, _ = leading[0]
    panels = [
        Panel(_AXES[kind][0], _AXES[kind][1], _lines(found, group, measure, kind)) for kind in _AXES
    ]
    return line_chart(panels, f"{group}: {measure} [%]")


def _leading(found: dict[str, list[Curve]]) -> list[tuple[str, str, str]]:
    """Each group with its first measure, by kind."""
    measures: dict[str, str] = {}
    for lines in found.values():
        for line in lines:
            measures.setdefault(line.group, line.measure)
    return [(group, measure, kind) for group, measure in measures.items() for kind in _AXES]


def _lines(
    found: dict[str, list[Curve]], group: str, measure: str, kind: str
) -> dict[str, tuple[tuple[float, Interval], ...]]:
    def wanted(line: Curve) -> bool:
        return (line.group, line.measure, line.kind) == (group, measure, kind)

    return {name: line.points for name, lines in found.items() for line in lines if wanted(line)}


def interval(found: Interval, form: str = ".2f") -> str:
    """An estimate and its interval, as in `2.31 (2.20 to 2.43)`."""
    if math.isnan(found.value):
        return "-"
    value = format(found.value, form)
    if math.isnan(found.low):
        return value
    return f"{value} ({format(found.low, form)} to {format(found.high, form)})"


def _faces(row: Row) -> str:
    """Faces labelled, or how many of them each set measured where some were missed."""
    counts = [cell.faces for cell in row.cells]
    if all(count == row.labelled for count in counts):
        return str(row.labelled)
    return f"{', '.join(map(str, counts))} of {row.labelled}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    escape: Callable[[str], str] = lambda text: text.replace("|", "\\|")  # noqa: E731
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(map(escape, line)) + " |" for line in lines)


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
