from evaluated_faces import cells

from amesh.evaluation.tables.errors import Cell, Row
from amesh.evaluation.tables.worse import Worse, worse_rows, worse_section
from amesh.metrics.bootstrap import Interval


def _row(group: str, *cells: tuple[str, int, float | None]) -> Row:
    none = Interval(1.0, 1.0, 1.0)
    made = tuple(
        Cell(name, faces, none, 0.0, 0.0, None if c is None else Interval(c, c - 1, c + 1))
        for name, faces, c in cells
    )
    return Row(group, "lips", 20, made)


def test_only_rows_beyond_the_margin_with_enough_faces_count() -> None:
    rows = [
        _row("a", ("reference", 20, None), ("x", 20, 3.1), ("y", 20, 2.9)),
        _row("b", ("reference", 20, None), ("x", 9, 50.0), ("y", 10, 7.0)),
    ]
    found = [(w.where, w.group, w.model, w.change.value) for w in worse_rows({"t": rows})]
    assert found == [("t", "b", "y", 7.0), ("t", "a", "x", 3.1)]


def test_worst_rows_are_listed_or_reported_as_none() -> None:
    assert worse_section([]) == "Nowhere, in rows with 10 faces or more."
    text = worse_section([Worse("Pose", "helen", "lips", "x", 12, Interval(5.0, 4.0, 6.0))] * 31)
    line = ["Pose", "helen", "lips", "12", "x", "+5.00 (+4.00 to +6.00)"]
    assert cells(text).count(line) == 30
    assert "And 1 more" in text
