"""Line charts as SVG text: panels in a grid, one colour for each name, bands for intervals.

Written by hand because three commands need only this one kind of chart: the text is the same on
every machine, so that charts under version control change only when their figures do, and no
plotting package has to be installed.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

# Okabe and Ito's colours, which colour-blind readers can tell apart.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_WIDTH, _HEIGHT = 280, 200  # of a panel's plot [px]
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 16, 32, 52  # around it, for titles and numbers [px]
_Y_TITLE, _LEGEND_LINE = 22, 20  # [px]
_FEW = 12  # values that each get a dot and, where there is room, a number on the horizontal axis
_NUMBER = 16  # room for a number [px]


class Point(NamedTuple):
    """A point of a line, with its interval if there is one, and a word beside it."""

    x: float
    y: float
    low: float = math.nan
    high: float = math.nan
    label: str = ""


@dataclass(frozen=True)
class Panel:
    """One plot.

    Attributes:
        title: Above it.
        x: What the horizontal axis shows, with its unit.
        lines: Points in order of x, by name. Points that are not finite are left out.
    """

    title: str
    x: str
    lines: Mapping[str, Sequence[Point]]


def line_charts(
    panels: Sequence[Panel], y: str = "", columns: int | None = None, shared: bool = True
) -> str:
    """Draws panels, with a legend below them. Vertical axes include zero.

    Args:
        panels: In reading order.
        y: What the vertical axes show, with the unit.
        columns: Panels in a row; by default all of them.
        shared: Whether all panels have the same vertical scale.
    """
    columns = max(1, min(columns or len(panels), len(panels)))
    names = list(dict.fromkeys(name for panel in panels for name in panel.lines))
    colours = {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(names)}
    left, cell = _Y_TITLE if y else 0, (_LEFT + _WIDTH + _RIGHT, _TOP + _HEIGHT + _BOTTOM)
    width, plots = left + columns * cell[0], math.ceil(len(panels) / columns) * cell[1]
    legend, lines = _legend(colours, left + _LEFT, plots, width)
    height = plots + lines * _LEGEND_LINE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    if y:
        parts.append(_text(14, plots / 2, y, anchor="middle", turned=True))
    for i, panel in enumerate(panels):
        row, column = divmod(i, columns)
        ticks = _vertical_ticks(panels if shared else [panel])
        at = f"translate({left + column * cell[0] + _LEFT} {row * cell[1] + _TOP})"
        parts += [f'<g transform="{at}">', *_panel(panel, colours, ticks), "</g>"]
    return "\n".join([*parts, *legend, "</svg>", ""])


def _panel(panel: Panel, colours: Mapping[str, str], ticks: Sequence[float]) -> list[str]:
    """Title, axes and lines; the plot's top left corner is the origin."""
    lines = {name: _finite(line) for name, line in panel.lines.items()}
    values = sorted({point.x for line in lines.values() for point in line}) or [0.0]
    low, high = values[0], values[-1]
    few = len(values) <= _FEW

    def across(x: float) -> float:
        return 8 + (x - low) / ((high - low) or 1) * (_WIDTH - 16)

    def down(y: float) -> float:
        return _HEIGHT * (ticks[-1] - y) / (ticks[-1] - ticks[0])

    def path(points: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in points)

    parts = [_text(_WIDTH / 2, -12, panel.title, anchor="middle", bold=True)]
    for y in ticks:
        colour, level = "#888" if y == 0 else "#ddd", f"{down(y):.1f}"
        parts.append(f'<line x1="0" x2="{_WIDTH}" y1="{level}" y2="{level}" stroke="{colour}"/>')
        parts.append(_text(-6, down(y) + 4, f"{y:g}", anchor="end"))
    apart = [across(right) - across(left) for left, right in itertools.pairwise(values)]
    readable = few and min(apart, default=_NUMBER) >= _NUMBER
    marks = values if readable else [x for x in _ticks(low, high) if low <= x <= high]
    parts += [_text(across(x), _HEIGHT + 16, f"{x:g}", anchor="middle") for x in marks]
    parts.append(_text(_WIDTH / 2, _HEIGHT + 34, panel.x, anchor="middle"))
    for name, line in lines.items():
        colour = colours[name]
        band = [point for point in line if math.isfinite(point.low + point.high)]
        if band:
            edge = [(p.x, p.high) for p in band] + [(p.x, p.low) for p in reversed(band)]
            parts.append(f'<polygon points="{path(edge)}" fill="{colour}" fill-opacity="0.18"/>')
        middle = path([(point.x, point.y) for point in line])
        stroke = f'fill="none" stroke="{colour}" stroke-width="2"'
        parts.append(f'<polyline points="{middle}" {stroke}/>')
        for point in line if few else ():
            at = f'cx="{across(point.x):.1f}" cy="{down(point.y):.1f}"'
            parts.append(f'<circle {at} r="2.6" fill="{colour}"/>')
            if point.label:  # above, to the right or, where there is no room, to the left
                x, y = across(point.x), down(point.y)
                left = x > 0.75 * _WIDTH
                at_side = (x - 5, y - 12) if left else (x + 5, y - 5)
                parts.append(_text(*at_side, point.label, anchor="end" if left else "start"))
    return parts


def _legend(
    colours: Mapping[str, str], left: float, top: float, width: float
) -> tuple[list[str], int]:
    """The names with their colours, and on how many lines they are."""
    parts, x, line = [], left, 0
    for name, colour in colours.items():
        space = 40 + 7 * len(name)
        if x > left and x + space > width:
            x, line = left, line + 1
        y = top + line * _LEGEND_LINE
        parts.append(f'<rect x="{x:.1f}" y="{y + 3:.1f}" width="16" height="4" fill="{colour}"/>')
        parts.append(_text(x + 21, y + 9, name))
        x += space
    return parts, line + 1


def _finite(line: Sequence[Point]) -> list[Point]:
    return [point for point in line if math.isfinite(point.x + point.y)]


def _vertical_ticks(panels: Sequence[Panel]) -> list[float]:
    points = [point for panel in panels for line in panel.lines.values() for point in _finite(line)]
    values = [value for point in points for value in point[1:4] if math.isfinite(value)]
    return _ticks(min([0.0, *values]), max([0.0, *values]))


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers at even steps, the first at or below a range and the last at or above it."""
    rough = (high - low) / 4 or 1.0
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * m for m in (1, 2, 2.5, 5, 10) if size * m >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [i * step for i in range(first, max(last, first + 1) + 1)]


def _text(
    x: float, y: float, text: str, anchor: str = "start", bold: bool = False, turned: bool = False
) -> str:
    weight = ' font-weight="bold"' if bold else ""
    turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f"<text {place}{weight}{turn}>{escape(text)}</text>"
