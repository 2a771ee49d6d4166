import json
import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from amesh.errors import UserError
from amesh.evaluation.agreement import Agreement
from amesh.evaluation.chart import Panel, line_chart
from amesh.evaluation.report import Report, markdown, write
from amesh.evaluation.robustness import Curve
from amesh.evaluation.sections import interval
from amesh.evaluation.tables import Cell, DetectionRow, Row
from amesh.metrics.bootstrap import Interval

NONE = Interval(math.nan, math.nan, math.nan)


def _report() -> Report:
    cells = (
        Cell("old", 9, Interval(2.0, 1.5, 2.5), 10.0, 70.0, None),
        Cell("new|x", 10, Interval(1.0, 0.5, 1.25), 0.0, 80.0, Interval(-50.0, -60.0, -40.0)),
    )
    rows = [Row("helen", "inner_51", 10, cells), Row("helen", "lips", 10, cells)]
    line = ((0.0, Interval(1.0, 0.9, 1.1)), (5.0, Interval(2.0, 1.9, 2.1)))
    return Report(
        about={"data": ["a.jsonl", "b.jsonl"]},
        detection=[DetectionRow("helen", 10, {"old": Interval(90.0, 80.0, 100.0)})],
        full=rows,
        in_roi=rows[:1],
        agreement=[
            Agreement(
                "old", "new|x", 10, 9, 1, 0, 0.25, 0.2, 0.5, 0.6, (0.1, -0.1), (("a.jpg", 0.7),)
            )
        ],
        robustness={
            "old": [Curve("helen", "inner_51", kind, line) for kind in ("shift", "scale", "roll")]
        },
        failed={"b.jpg": "b.jpg: truncated"},
    )


def test_numbers_as_people_read_them() -> None:
    assert interval(Interval(2.314, 2.2, 2.43)) == "2.31 (2.20 to 2.43)"
    assert interval(Interval(-3.0, -4.0, 1.0), "+.1f") == "-3.0 (-4.0 to +1.0)"
    assert interval(Interval(2.0, math.nan, math.nan)) == "2.00"
    assert interval(NONE) == "-"


def test_markdown_tables_are_whole_and_side_by_side() -> None:
    text = markdown(_report())
    rows = [line for line in text.splitlines() if line.startswith("| helen")]
    assert rows[0] == "| helen | 90.0 (9 of 10) |"
    assert rows[1] == (
        "| helen | inner_51 | 9, 10 of 10 | 2.00 (1.50 to 2.50) | 1.00 (0.50 to 1.25) "
        "| -50.0 (-60.0 to -40.0) |"
    )
    assert r"new\|x" in text  # a bar in a name does not break the table
    assert "| 5 | 2.00 (1.90 to 2.10) |" in text
    assert "* b.jpg: truncated" in text
    assert "data: a.jsonl, b.jsonl" in text
    for block in text.split("\n\n"):
        lines = [line.replace(r"\|", "") for line in block.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in lines}) <= 1


def test_failures_are_those_of_the_leading_measure() -> None:
    text = markdown(_report())
    part = text[text.index("FR@10") : text.index("Region of interest")]
    assert "| helen | inner_51 | 10 | 10.0, 70.0 | 0.0, 80.0 |" in part
    assert "lips" not in part


def test_json_holds_the_same_figures_and_null_for_no_number(tmp_path: Path) -> None:
    report = _report()
    report.full.append(Row("lfpw", "lips", 3, (Cell("old", 0, NONE, 100.0, 0.0, None),) * 2))
    files = write(report, tmp_path / "new" / "folder")
    assert [file.name for file in files] == ["evaluation.json", "evaluation.md", "robustness.svg"]
    data = json.loads(files[0].read_text())
    cell = data["full"][0]["cells"][1]
    assert cell["error"] == {"value": 1.0, "low": 0.5, "high": 1.25}
    assert cell["change"]["value"] == -50.0
    assert data["full"][2]["cells"][0]["error"] == {"value": None, "low": None, "high": None}
    assert data["agreement"][0]["worst"] == [["a.jpg", 0.7]]
    assert data["robustness"]["old"][0]["points"][1] == [
        5.0,
        {"value": 2.0, "low": 1.9, "high": 2.1},
    ]


def test_unwritable_folder_is_a_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write(_report(), tmp_path / "file" / "folder")


def test_chart_is_valid_svg_that_starts_at_zero() -> None:
    line = [(0.7, Interval(4.0, 3.5, 4.5)), (1.0, Interval(2.0, math.nan, math.nan))]
    panels = [Panel("scale <x>", "side", {"a & b": line}), Panel("roll", "degrees", {"c": line})]
    root = ElementTree.fromstring(line_chart(panels, "error [%]"))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"scale <x>", "a & b", "c", "error [%]", "0", "0.7", "1"} <= set(texts)
    lines = list(root.iter("{http://www.w3.org/2000/svg}polyline"))
    assert len(lines) == 2
    (_, high), (_, low) = (
        map(float, point.split(",")) for point in lines[0].attrib["points"].split()
    )
    axis = max(float(e.attrib["y1"]) for e in root.iter("{http://www.w3.org/2000/svg}line"))
    assert axis - high == pytest.approx(2 * (axis - low), abs=0.2)  # 4 % is twice as high as 2 %
