import json
import math
from pathlib import Path
from typing import NamedTuple

import pytest

from amesh.errors import UserError
from amesh.evaluation.report import Report, markdown, write
from amesh.evaluation.table import Table
from amesh.metrics.bootstrap import Interval


class Counted(NamedTuple):
    """Rows of a made-up table."""

    shares: dict[str, Interval]


COUNTS = Table[Counted](
    key="counts",
    title="Counts",
    note="They are made up.",
    compute=lambda _: None,
    section=lambda rows: ", ".join(rows.shares),
    files=lambda rows: {"counts.txt": str(len(rows.shares)).encode()},
    json=lambda rows: rows.shares,
)
SHARES = Counted({"a": Interval(1.0, 0.5, 1.25), "b": Interval(2.0, math.nan, math.inf)})


def test_markdown_has_heading_note_and_section_of_each_table() -> None:
    text = markdown(Report({"data": ["a.jsonl", "b.jsonl"]}, {COUNTS: SHARES}))
    assert text.startswith("# Evaluation\n\n* data: a.jsonl, b.jsonl\n\n")
    assert text.endswith("\n\n## Counts\n\nThey are made up.\n\na, b\n")


@pytest.mark.parametrize("rows", [None, Counted({})])
def test_tables_with_nothing_to_show_are_left_out_of_markdown(rows: Counted | None) -> None:
    assert "Counts" not in markdown(Report({}, {COUNTS: rows}))


def test_json_holds_figures_with_null_for_what_is_not_finite(tmp_path: Path) -> None:
    files = write(Report({"limit": 3}, {COUNTS: SHARES}), tmp_path / "new" / "folder")
    assert [file.name for file in files] == ["evaluation.json", "evaluation.md", "counts.txt"]
    assert files[2].read_text() == "2"
    assert json.loads(files[0].read_text()) == {
        "about": {"limit": 3},
        "counts": {
            "a": {"value": 1.0, "low": 0.5, "high": 1.25},
            "b": {"value": 2.0, "low": None, "high": None},
        },
    }


def test_tables_that_were_not_measured_are_null(tmp_path: Path) -> None:
    files = write(Report({}, {COUNTS: None}), tmp_path)
    assert json.loads(files[0].read_text()) == {"about": {}, "counts": None}
    assert len(files) == 2


def test_unwritable_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write(Report({}, {COUNTS: SHARES}), tmp_path / "file" / "folder")
