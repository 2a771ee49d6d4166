import json
import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from amesh.errors import UserError
from amesh.evaluation.markdown import interval, plain_name, table
from amesh.evaluation.report.chart import Panel, line_chart
from amesh.evaluation.report.write import Report, markdown, write
from amesh.evaluation.tables.accuracy import Cell, DetectionRow, Row, Worse
from amesh.evaluation.tables.agreement import Agreement
from amesh.evaluation.tables.jitter import ALL, ALL_CLIPS, JitterRow
from amesh.evaluation.tables.robustness import Curve
from amesh.evaluation.tables.table_2 import Table2
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


def _rows(text: str) -> list[list[str]]:
    """Cells of the tables' lines."""
    lines = [line.replace(r"\|", "/") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_markdown_tables_are_whole_and_side_by_side() -> None:
    text = markdown(_report())
    rows = _rows(text)
    assert ["helen", "90.00 (9 of 10)"] in rows
    whole = ["2.00 (1.50 to 2.50)", "1.00 (0.50 to 1.25)", "-50.00 (-60.00 to -40.00)"]
    assert ["helen", "inner_51", "9, 10 of 10 (few)", *whole] in rows
    assert r"new\|x" in text  # a bar in a name does not break the table
    assert ["5", "2.00 (1.90 to 2.10)"] in rows
    assert "* b.jpg: truncated" in text
    assert "data: a.jsonl, b.jsonl" in text
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        assert len({len(row) for row in _rows(block)}) <= 1
        assert len({len(line) for line in lines}) <= 1  # aligned


def test_table_2_stands_apart_from_the_papers_figures() -> None:
    report = _report()
    rows = tuple(Row("synthetic", name, 10, report.full[0].cells) for name in ("all", "lips", "e"))
    measures = ("all", "lips_by_width", "eyes_by_width")
    found = Table2("synthetic", "face478", measures, True, {"synthetic": 10}, rows)
    report.table_2 = [found]
    text = markdown(report)
    part = text[text.index("## Table 2") : text.index("## Faces found")]
    assert "10 faces (10 of synthetic), labelled in `face478`" in part
    assert "lengths in 3-D" in part
    ours, theirs = part.split("The paper's own figures")
    first, second = _rows(ours)[2:]
    assert first == ["old", *["2.00 (1.50 to 2.50)"] * 3, *["reference"] * 3]
    assert second == ["new/x", *["1.00 (0.50 to 1.25)"] * 3, *["-50.00 (-60.00 to -40.00)"] * 3]
    assert ["Attention mesh", "3.11", "2.89", "6.04"] in _rows(theirs)
    assert "3.11" not in ours


def test_worse_lines_are_listed_or_said_to_be_none() -> None:
    report = _report()
    report.worse = []
    assert "Nowhere, on lines with 10 faces or more." in markdown(report)
    report.worse = [Worse("Pose", "helen", "lips", "x", 12, Interval(5.0, 4.0, 6.0))] * 31
    text = markdown(report)
    line = ["Pose", "helen", "lips", "12", "x", "+5.00 (+4.00 to +6.00)"]
    assert _rows(text).count(line) == 30
    assert "And 1 more" in text


def test_parts_of_the_face_are_shown_over_all_clips_only() -> None:
    report = _report()
    jitter, change = {"x": Interval(0.5, 0.4, 0.6)}, {}
    report.jitter = [
        JitterRow(clip, part, {"x": 30}, jitter, change)
        for clip in (ALL_CLIPS, "a.mp4", "b.mp4")
        for part in (ALL, "lips")
    ]
    shown = [row[:2] for row in _rows(markdown(report)) if "30" in row]
    expected = [[ALL_CLIPS, ALL], [ALL_CLIPS, "lips"], ["a.mp4", ALL], ["b.mp4", ALL]]
    assert shown == expected


def test_names_of_files_and_columns_of_tables() -> None:
    assert plain_name("map", "a b/c's") == "map-a_b_c_s.png"
    lines = table(["a", "long head"], [["wide cell", "|"]]).splitlines()
    assert lines == [
        "| a         | long head |",
        "| --------- | --------- |",
        "| wide cell | \\|        |",
    ]


def test_failures_are_those_of_the_leading_measure() -> None:
    text = markdown(_report())
    part = text[text.index("FR@10") : text.index("misplaced regions")]
    assert ["helen", "inner_51", "10", "10.00, 70.00", "0.00, 80.00"] in _rows(part)
    assert "lips" not in part


def test_json_holds_the_same_figures_and_null_for_no_number(tmp_path: Path) -> None:
    report = _report()
    cells = (Cell("old", 0, NONE, 100.0, 0.0, None), Cell("new|x", 0, NONE, 100.0, 0.0, NONE))
    report.full.append(Row("lfpw", "lips", 3, cells))
    files = write(report, tmp_path / "new" / "folder", {"map.png": b"picture"})
    names = ["evaluation.json", "evaluation.md", "robustness.svg", "map.png"]
    assert [file.name for file in files] == names
    assert files[3].read_bytes() == b"picture"
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
