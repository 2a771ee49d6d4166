"""The static report of a run: its curves in one HTML file, from the CSV log, without a tracker."""

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
_COLOURS = {"train": "#4c72b0", "val": "#c44e52", "test": "#55a868"}
_STYLE = "body{font:14px sans-serif;margin:2em}svg{margin:6px;background:#fafafa}"
Curve = list[tuple[int, float]]


class Report(Callback):
    """Writes `report.html` beside `metrics.csv` when training ends."""

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draws what was logged."""
        logger = next((one for one in trainer.loggers if isinstance(one, CSVLogger)), None)
        if logger is None or not trainer.is_global_zero:
            return
        logger.save()
        folder = Path(logger.log_dir)
        if (folder / "metrics.csv").is_file():
            write_atomically(folder / "report.html", render(folder / "metrics.csv").encode())


def render(log: Path) -> str:
    """A page with a chart for each quantity; training and validation share one."""
    charts: dict[str, dict[str, Curve]] = defaultdict(dict)
    for column, curve in sorted(curves(log).items()):
        split, _, quantity = column.partition("/")
        charts[quantity][split] = curve
    first = [name for name in ("nme", "loss") if name in charts]
    names = first + [name for name in charts if name not in first]
    body = "\n".join(chart(name, charts[name]) for name in names)
    title = html.escape(str(log.parent))
    return (
        f"<!doctype html><meta charset='utf-8'><title>{title}</title><style>{_STYLE}</style>\n"
        f"<h1>{title}</h1>\n{body}\n"
    )


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
    """One chart as SVG: steps to the right, values up from zero."""
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
        f"<svg width='{_WIDTH}' height='{_HEIGHT}' role='img'>",
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
    return "".join([*parts, "</svg>"])
