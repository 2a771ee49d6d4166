"""Draws the curves of a training run as a web page and as a picture, from its CSV log."""

import csv
import html
from collections import defaultdict
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import CSVLogger

from amesh.charts import Panel, Point, line_charts
from amesh.files import write_atomically

_COLUMNS = 3
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
    """A chart of each quantity, as SVG; training and validation share one."""
    charts: dict[str, dict[str, Curve]] = defaultdict(dict)
    for column, curve in sorted(curves(log).items()):
        split, _, quantity = column.partition("/")
        charts[quantity][split] = curve
    first = [name for name in ("nme", "loss") if name in charts]
    names = first + [name for name in charts if name not in first]
    return line_charts([_panel(name, charts[name]) for name in names], "", _COLUMNS, shared=False)


def _panel(name: str, by_split: dict[str, Curve]) -> Panel:
    last = ", ".join(f"{split} {curve[-1][1]:.4g}" for split, curve in by_split.items())
    lines = {split: [Point(*point) for point in curve] for split, curve in by_split.items()}
    return Panel(f"{name}: {last}", "step", lines)


def curves(log: Path) -> dict[str, Curve]:
    """The logged quantities as (step, value), by name."""
    found: dict[str, Curve] = defaultdict(list)
    with log.open(newline="") as file:
        for row in csv.DictReader(file):
            for column, value in row.items():
                if value and "/" in column:
                    found[column].append((int(row["step"]), float(value)))
    return dict(found)
