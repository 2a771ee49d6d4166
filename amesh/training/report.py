"""The curves of a run as one page and one picture, from the CSV log, without a tracker."""

import csv
import html
from collections import defaultdict
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import CSVLogger

from amesh.files import write_atomically

# Of a chart [px].
_WIDTH, _HEIGHT, _MARGIN = 420, 220, 40
_COLUMNS = 3
_COLOURS = {"train": "#4c72b0", "val": "#c44e52", "test": "#55a868"}
_STYLE = "body{font:14px sans-serif;margin:2em}"
Curve = list[tuple[int, float]]


class Report(Callback):
    """Writes `report.html` and `curves.svg` beside `metrics.csv` when training ends."""

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draws what was logged."""
        logger = next((one for one in trainer.loggers if isinstance(one, CSVLogger)), None)
        if logger is None or not trainer.is_global_zero:
            return
        logger.save()
        folder = Path(logger.log_dir)
        if (folder / "metrics.csv").is_file():
            drawn = sheet(folder / "metrics.csv")
            write_atomically(folder / "curves.svg", drawn.encode())
            write_atomically(folder / "report.html", page(str(folder), drawn).encode())


def page(title: str, drawn: str) -> str:
    """The curves as a page of their own."""
    title = html.escape(title)
    return (
        f"<!doctype html><meta charset='utf-8'><title>{title}</title><style>{_STYLE}</style>\n"
        f"<h1>{title}</h1>\n{drawn}\n"
    )


def sheet(log: Path) -> str:
    """A chart for each quantity, side by side, as SVG; training and validation share one."""
    charts: dict[str, dict[str, Curve]] = defaultdict(dict)
    for column, curve in sorted(curves(log).items()):
        split, _, quantity = column.partition("/")
        charts[quantity][split] = curve
    first = [name for name in ("nme", "loss") if name in charts]
    names = first + [name for name in charts if name not in first]
    width, height = _COLUMNS * _WIDTH, -(-len(names) // _COLUMNS) * _HEIGHT
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' "
        f"height='{height}' font-family='sans-serif' font-size='13'>",
        f"<rect width='{width}' height='{height}' fill='#fafafa'/>",
    ]
    for i, name in enumerate(names):
        down, right = divmod(i, _COLUMNS)
        place = f"translate({right * _WIDTH} {down * _HEIGHT})"
        parts.append(f"<g transform='{place}'>{chart(name, charts[name])}</g>")
    return "\n".join([*parts, "</svg>"])


def curves(log: Path) -> dict[str, Curve]:
    """The logged quantities, as (step, value)."""
    found: dict[str, Curve] = defaultdict(list)
    with log.open(newline="") as file:
        for row in csv.DictReader(file):
            for column, value in row.items():
                if value and "/" in column:
                    found[column].append((int(row["step"]), float(value)))
    return dict(found)


def chart(name: str, lines: dict[str, Curve]) -> str:
    """What one chart of the sheet shows: steps to the right, values up from zero."""
    points = [point for line in lines.values() for point in line]
    last = max(1, max(step for step, _ in points))
    low = min(0.0, min(value for _, value in points))
    high = max(value for _, value in points)
    span = (high - low) or 1.0

    def place(step: int, value: float) -> str:
        x = _MARGIN + step / last * (_WIDTH - 2 * _MARGIN)
        y = _HEIGHT - _MARGIN - (value - low) / span * (_HEIGHT - 2 * _MARGIN)
        return f"{x:.1f},{y:.1f}"

    parts = [
        f"<text x='{_MARGIN}' y='20' font-weight='bold'>{html.escape(name)}</text>",
        f"<text x='2' y='{_MARGIN + 4}' font-size='10'>{high:.3g}</text>",
        f"<text x='2' y='{_HEIGHT - _MARGIN}' font-size='10'>{low:.3g}</text>",
        f"<text x='{_WIDTH - 2 * _MARGIN}' y='{_HEIGHT - 20}' font-size='10'>step {last}</text>",
    ]
    for i, (split, line) in enumerate(lines.items()):
        colour = _COLOURS.get(split, "#777")
        path = " ".join(place(step, value) for step, value in line)
        label = f"{html.escape(split)} {line[-1][1]:.4g}"
        parts.append(f"<polyline points='{path}' fill='none' stroke='{colour}'/>")
        parts.append(f"<text x='{160 + 120 * i}' y='20' fill='{colour}'>{label}</text>")
    return "".join(parts)
