"""A line chart with bands as an SVG file: a few panels side by side, one colour for each name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from amesh.metrics.bootstrap import Interval

Line = Sequence[tuple[float, Interval]]

# Okabe and Ito's colours: told apart by the colour-blind too.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM, _GAP = 260, 220, 62, 34, 74, 22


@dataclass(frozen=True)
class Panel:
    """One chart.

    Attributes:
        title: Above it.
        x: What the horizontal axis shows, with its unit.
        lines: Points and their intervals, by name.
    """

    title: str
    x: str
    lines: Mapping[str, Line]


def line_chart(panels: Sequence[Panel], y: str) -> str:
    """Draws the panels side by side over one vertical axis, which starts at zero.

    Args:
        panels: At least one, with at least one point.
        y: What the vertical axis shows, with its unit.
    """
    names = list(dict.fromkeys(name for panel in panels for name in panel.lines))
    values = [point[1] for panel in panels for line in panel.lines.values() for point in line]
    top = _round_up(
        max(
            max(value.value, value.high) if value.high == value.high else value.value
            for value in values
        )
    )
    width = _LEFT + len(panels) * (_WIDTH + _GAP)
    height = _TOP + _HEIGHT + _BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        _text(14, _TOP + _HEIGHT / 2, y, anchor="middle", turn=True),
    ]
    for i, panel in enumerate(panels):
        parts += _panel(panel, names, _LEFT + i * (_WIDTH + _GAP), top, labels=i == 0)
    x = float(_LEFT)
    for i, name in enumerate(names):
        y_legend = height - 8
        colour = _COLOURS[i % len(_COLOURS)]
        parts.append(
            f'<rect x="{x:.1f}" y="{y_legend - 9}" width="16" height="4" fill="{colour}"/>'
        )
        parts.append(_text(x + 21, y_legend - 3, name))
        x += 40 + 7 * len(name)
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel, names: Sequence[str], left: float, top: float, labels: bool) -> list[str]:
    """One panel; `labels` writes numbers beside the vertical axis."""
    ticks = sorted({x for line in panel.lines.values() for x, _ in line})
    low, high = ticks[0], ticks[-1]

    def across(x: float) -> float:
        return left + 8 + (x - low) / ((high - low) or 1) * (_WIDTH - 16)

    def up(value: float) -> float:
        return _TOP + _HEIGHT * (1 - value / top)

    parts = [_text(left + _WIDTH / 2, _TOP - 12, panel.title, anchor="middle", bold=True)]
    for step in range(5):
        value = top * step / 4
        parts.append(
            f'<line x1="{left}" x2="{left + _WIDTH}" y1="{up(value):.1f}" y2="{up(value):.1f}" '
            f'stroke="{"#888" if step == 0 else "#ddd"}"/>'
        )
        if labels:
            parts.append(_text(left - 6, up(value) + 4, f"{value:g}", anchor="end"))
    parts += [_text(across(x), _TOP + _HEIGHT + 16, f"{x:g}", anchor="middle") for x in ticks]
    parts.append(_text(left + _WIDTH / 2, _TOP + _HEIGHT + 34, panel.x, anchor="middle"))
    for name, line in panel.lines.items():
        colour = _COLOURS[names.index(name) % len(_COLOURS)]
        band = [(x, point) for x, point in line if point.low == point.low]  # an interval is known
        edge = [(x, point.high) for x, point in band] + [(x, point.low) for x, point in band[::-1]]
        path = " ".join(f"{across(x):.1f},{up(value):.1f}" for x, value in edge)
        parts.append(f'<polygon points="{path}" fill="{colour}" fill-opacity="0.18"/>')
        middle = [(across(x), up(point.value)) for x, point in line]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in middle)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{colour}"/>' for x, y in middle]
    return parts


def _text(
    x: float, y: float, text: str, anchor: str = "start", bold: bool = False, turn: bool = False
) -> str:
    weight = ' font-weight="bold"' if bold else ""
    turned = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turn else ""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f"<text {place}{weight}{turned}>{escape(text)}</text>"


def _round_up(value: float) -> float:
    """The next of 1, 2, 3, 4, 6, 8, 10, 20, ...: quarters of it are short numbers."""
    size = 1e-6
    while True:
        for step in (1, 2, 3, 4, 6, 8):
            if step * size >= value:
                return step * size
        size *= 10
