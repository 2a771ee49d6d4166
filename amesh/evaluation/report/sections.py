"""Parts of a report as Markdown tables, and the chart of the robustness."""

import math
from collections.abc import Sequence

from amesh.evaluation.markdown import interval, table
from amesh.evaluation.report.chart import Panel, line_chart
from amesh.evaluation.tables.accuracy import FEW, DetectionRow, OffsetRow, Row, Worse
from amesh.evaluation.tables.agreement import Agreement
from amesh.evaluation.tables.jitter import ALL, ALL_CLIPS, JitterRow
from amesh.evaluation.tables.jitter_still import STILL
from amesh.evaluation.tables.robustness import Curve

_LINES = 30  # of the list of what is worse
_AXES = {
    "shift": ("shift", "% of the crop's side"),
    "scale": ("scale", "side over the right one"),
    "roll": ("roll", "degrees"),
}


def detection_section(rows: Sequence[DetectionRow]) -> str:
    """Faces found by group."""

    def rate(row: DetectionRow, name: str) -> str:
        found = round(row.rates[name].value * row.labelled / 100)
        return f"{row.rates[name].value:.2f} ({found} of {row.labelled})"

    names = list(rows[0].rates)
    return table(["group", *names], [[row.group, *(rate(row, n) for n in names)] for row in rows])


def errors_section(rows: Sequence[Row]) -> str:
    """Errors by group and measure, and their change against the reference."""
    names = [cell.model for cell in rows[0].cells]
    compared = [cell.model for cell in rows[0].cells if cell.change is not None]
    heads = ["group", "measure", "faces", *names, *(f"{name}: change [%]" for name in compared)]
    body = [
        [row.group, row.measure, _faces(row)]
        + [interval(cell.error) for cell in row.cells]
        + [interval(cell.change, "+.2f") for cell in row.cells if cell.change is not None]
        for row in rows
    ]
    return table(heads, body)


def failures_section(rows: Sequence[Row]) -> str:
    """Failure rates of each group's leading measure."""
    names = [cell.model for cell in rows[0].cells]
    heads = ["group", "measure", "faces"]
    heads += [f"{name}: FR, AUC" for name in names]
    leading = {row.group: row for row in reversed(rows)}
    body = [
        [row.group, row.measure, str(row.labelled)]
        + [f"{cell.failure_rate:.2f}, {cell.auc:.2f}" for cell in row.cells]
        for row in reversed(leading.values())
    ]
    return table(heads, body)


def offsets_section(rows: Sequence[OffsetRow]) -> str:
    """Mean displacement by group."""
    names = list(rows[0].offsets)
    body = [
        [row.group]
        + [", ".join(interval(side, "+.2f") for side in row.offsets[name]) for name in names]
        for row in rows
    ]
    return table(["group", *names], body)


def agreement_section(found: Sequence[Agreement]) -> str:
    """Distances between pairs of sets."""
    heads = ["pair", "pictures", "faces", "mean", "median", "p95", "landmarks' p95"]
    heads += ["shift right, down", "only first", "only second", "missed by one"]
    body = [
        [f"{a.first} - {a.second}", str(a.pictures), str(a.faces)]
        + [_number(value, ".3f") for value in (a.mean, a.median, a.p95, a.landmarks_p95)]
        + [
            ", ".join(_number(side, "+.3f") for side in a.shift),
            str(a.only_first),
            str(a.only_second),
        ]
        + [f"{a.missed:.2f} %"]
        for a in found
    ]
    return table(heads, body)


def worse_section(rows: Sequence[Worse]) -> str:
    """Where a network is worse than the reference."""
    more = f"\n\nAnd {len(rows) - _LINES} more, in evaluation.json." if len(rows) > _LINES else ""
    body = [
        [row.where, row.group, row.measure, str(row.faces), row.model, interval(row.change, "+.2f")]
        for row in rows[:_LINES]
    ]
    return table(["table", "group", "measure", "faces", "network", "change [%]"], body) + more


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


def robustness_section(found: dict[str, list[Curve]]) -> str:
    """One table per group and kind, for the group's leading measure."""
    tables = []
    for group, measure, kind in _leading(found):
        lines = _lines(found, group, measure, kind)
        compared = {name: line for name, line in lines.items() if line.changes}
        values = [value for value, _ in next(iter(lines.values())).points]
        rows = [
            [f"{value:g}", *(interval(line.points[i][1]) for line in lines.values())]
            + [interval(line.changes[i], "+.2f") for line in compared.values()]
            for i, value in enumerate(values)
        ]
        title, unit = _AXES[kind]
        heads = [title, *lines, *(f"{name}: change [%]" for name in compared)]
        tables.append(f"{group}, `{measure}`, {title} [{unit}]\n\n{table(heads, rows)}")
    return "\n\n".join(tables)


def robustness_chart(found: dict[str, list[Curve]]) -> str | None:
    """The chart of the first group that was measured, as SVG; None where nothing was."""
    leading = _leading(found)
    if not leading:
        return None
    group, measure, _ = leading[0]
    panels = []
    for kind, (title, unit) in _AXES.items():
        lines = _lines(found, group, measure, kind)
        panels.append(Panel(title, unit, {name: line.points for name, line in lines.items()}))
    return line_chart(panels, f"{group}: {measure} [%]")


def _leading(found: dict[str, list[Curve]]) -> list[tuple[str, str, str]]:
    """Each group with its first measure, by kind."""
    measures: dict[str, str] = {}
    for lines in found.values():
        for line in lines:
            measures.setdefault(line.group, line.measure)
    return [(group, measure, kind) for group, measure in measures.items() for kind in _AXES]


def _lines(found: dict[str, list[Curve]], group: str, measure: str, kind: str) -> dict[str, Curve]:
    def wanted(line: Curve) -> bool:
        return (line.group, line.measure, line.kind) == (group, measure, kind)

    return {name: line for name, lines in found.items() for line in lines if wanted(line)}


def _faces(row: Row) -> str:
    """Faces labelled, or how many of them each set measured where some were missed."""
    counts = [cell.faces for cell in row.cells]
    few = " (few)" if min(counts) < FEW else ""
    if all(count == row.labelled for count in counts):
        return f"{row.labelled}{few}"
    return f"{', '.join(map(str, counts))} of {row.labelled}{few}"


def _number(value: float, form: str) -> str:
    return "-" if math.isnan(value) else format(value, form)
