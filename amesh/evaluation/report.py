"""The report of an evaluation: Markdown to read, and JSON to work with."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import amesh
from amesh.evaluation import tables
from amesh.evaluation.comparison import FEW
from amesh.evaluation.evaluated import Evaluated
from amesh.evaluation.options import Evaluation
from amesh.evaluation.table import Table
from amesh.evaluation.tables.unreadable import UNREADABLE
from amesh.files import write_atomically
from amesh.metrics.bootstrap import Interval

# What a reader has to know to use the figures, kept with them.
_NOTES = f"""\
Errors are mean 2-D distances in % of the distance between the labelled outer eye corners (in 3-D
where the labels have a depth). Measures called `..._by_width` are divided by the width of the same
eye or of the lips instead (the paper's Table 2); on AFLW2000-3D all are divided by the square root
of the area of the labels' box.

* `all`: every landmark, against labels in the network's own scheme; there, `eyes` are all points of
  the eye regions (lids, rings around them, brows) and `lips` all of the lip region.
* `inner_N`, `all_N`, and `eyes` and `lips` of human labels: N labelled points, matched one to one
  through the topology's map; `inner` leaves out the jaw.
* `pupils`: labelled pupil to predicted iris centre. `eye_corners`, `lip_corners`: point to point.
* `irises`, `lids`, `lip_outlines` of human labels: labelled points to the nearest place on the
  predicted outline; irises by their sides and bottom, which no lid covers.

Brackets hold 95 % bootstrap intervals. The bootstrap draws faces, or whole persons where the labels
name them: where they do not and people recur, intervals are too narrow. A change is paired, against
the reference, on the faces that both found. `few` marks fewer than {FEW} faces."""


@dataclass(frozen=True, eq=False)
class Report:
    """Everything an evaluation found.

    Attributes:
        about: How it was made: version, data, options.
        rows: The rows of each table, in the order of the report; None where it was not measured.
    """

    about: Mapping[str, Any]
    rows: Mapping[Table[Any], Any] = field(default_factory=dict)

    @property
    def failed(self) -> Mapping[str, str]:
        """Why a picture could not be read, by its name."""
        return self.rows.get(UNREADABLE) or {}


def make_report(evaluated: Evaluated) -> Report:
    """Computes all tables.

    Raises:
        UserError: A clip cannot be read, or two sets of predictions have no picture in common.
    """
    rows = {table: table.rows(evaluated) for table in tables.TABLES}
    return Report(_about(evaluated.wanted), rows)


def write(report: Report, folder: Path) -> list[Path]:
    """Writes `evaluation.md`, `evaluation.json` and the files of the tables.

    Raises:
        UserError: The folder cannot be written to.
    """
    files: dict[str, bytes] = {}
    for table, rows in report.rows.items():
        files |= {} if rows is None else table.files(rows)
    text = json.dumps(to_json(report), indent=1, allow_nan=False) + "\n"
    files = {"evaluation.json": text.encode(), "evaluation.md": markdown(report).encode()} | files
    for name, content in files.items():
        write_atomically(folder / name, content)
    return [folder / name for name in files]


def to_json(report: Report) -> dict[str, Any]:
    """The report as plain JSON types, a key for each table."""
    tables = {
        table.key: None if rows is None else table.json(rows) for table, rows in report.rows.items()
    }
    found: dict[str, Any] = _plain({"about": report.about} | tables)
    return found


def markdown(report: Report) -> str:
    """The report as Markdown."""
    about = [f"* {key}: {_inline(value)}" for key, value in report.about.items()]
    blocks = ["# Evaluation", "\n".join(about), _NOTES if report.about.get("data") else ""]
    for table, rows in report.rows.items():
        if rows is not None and (section := table.section(rows)):
            blocks += [f"## {table.title}", table.note, section]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _about(wanted: Evaluation) -> dict[str, Any]:
    data = wanted.data
    about: dict[str, Any] = {
        "amesh": amesh.__version__,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }
    if data.paths:
        lists = {"only the faces in": data.only, "without those in": data.without}
        about["data"] = [_short(path) for path in data.paths]
        about |= {name: _short(path) for name, path in lists.items() if path is not None}
        about["coordinates"] = data.coordinates or "as each label says"
        about["limit"] = wanted.limit or "none"
    if wanted.videos:
        about["clips"] = [_short(path) for path in wanted.videos]
    return about | {"bootstrap": f"{wanted.resamples} resamples, seed {wanted.seed}"}


def _short(path: Path) -> str:
    return f"{path.resolve().parent.name}/{path.name}"


def _inline(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _plain(value: Any) -> Any:
    """What JSON can hold: named fields as objects, NaN and infinity as null."""
    if isinstance(value, Interval):
        return {key: _plain(part) for key, part in value._asdict().items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {key: _plain(getattr(value, key)) for key in value.__dataclass_fields__}
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
