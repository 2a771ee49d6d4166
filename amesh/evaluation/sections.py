"""Parts of a report as Markdown tables, and the chart of the robustness."""

import math
from collections.abc import Sequence

from amesh.evaluation.agreement import Agreement
from amesh.evaluation.chart import Panel, line_chart
from amesh.evaluation.robustness import Curve
from amesh.evaluation.tables import DetectionRow, OffsetRow, Row
from amesh.metrics.bootstrap import Interval

_AXES = {
    "shift": ("shift", "% of the crop's side"),
    "scale": ("scale", "side over the right one"),
    "roll": ("roll", "degrees"),
}


def detection_section(rows: Sequence[DetectionRow]) -> str:
    """Faces found by group."""

    def rate(row: DetectionRow, name: str) -> str:
        found = round(row.rates[name].value * row.labelled / 100)
        return f"{row.rates[name].value:.1f} ({found} of {row.labelled})"

    names = list(rows[0].rates)
    return _table(["group", *names], [[row.group, *(rate(row, n) for n in names)] for row in rows])


def errors_section(rows: Sequence[Row]) -> str:
    """Errors by group and measure, and their change against the first set."""
    names = [cell.model for cell in rows[0].cells]
    heads = ["group", "measure", "faces", *names, *(f"{name}: change [%]" for name in names[1:])]
    body = [
        [row.group, row.measure, _faces(row)]
        + [interval(cell.error) for cell in row.cells]
        + [interval(cell.change, "+.1f") for cell in row.cells if cell.change is not None]
        for row in rows
    ]
    return _table(heads, body)


def failures_section(rows: Sequence[Row]) -> str:
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


def offsets_section(rows: Sequence[OffsetRow]) -> str:
    """Mean displacement by group."""
    names = list(rows[0].offsets)
    body = [
        [row.group]
        + [", ".join(interval(side, "+.2f") for side in row.offsets[name]) for name in names]
        for row in rows
    ]
    return _table(["group", *names], body)


def agreement_section(found: Sequence[Agreement]) -> str:
    """Distances between pairs of sets."""
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


def robustness_section(found: dict[str, list[Curve]]) -> str:
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
    lines = [heads, ["---"] * len(heads), *rows]
    cells = [[text.replace("|", "\\|") for text in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)
