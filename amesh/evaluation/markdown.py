"""Figures and tables as Markdown."""

import math
from collections.abc import Sequence

from amesh.metrics.bootstrap import Interval


def interval(found: Interval, form: str = ".2f") -> str:
    """An estimate and its interval, as in `2.31 (2.20 to 2.43)`."""
    value, low, high = (number(each, form) for each in (found.value, found.low, found.high))
    return value if math.isnan(found.low) else f"{value} ({low} to {high})"


def number(value: float, form: str) -> str:
    """A number, a dash where it is unknown; what rounds to zero has no minus."""
    return "-" if math.isnan(value) else format(value, form.replace(".", "z.", 1))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns are also aligned in the source."""
    lines = [[text.replace("|", "\\|") for text in line] for line in (heads, *rows)]
    widths = [max(3, *map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        f"| {' | '.join(text.ljust(width) for text, width in zip(line, widths, strict=True))} |"
        for line in lines
    )
