import math

from amesh.evaluation.markdown import interval, number, table
from amesh.metrics.bootstrap import Interval


def test_intervals_follow_their_estimate() -> None:
    assert interval(Interval(2.314, 2.2, 2.43)) == "2.31 (2.20 to 2.43)"
    assert interval(Interval(-3.0, -4.0, 1.0), "+.1f") == "-3.0 (-4.0 to +1.0)"
    assert interval(Interval(2.0, math.nan, math.nan)) == "2.00"
    assert interval(Interval(math.nan, math.nan, math.nan)) == "-"


def test_what_rounds_to_zero_has_no_minus() -> None:
    assert interval(Interval(-0.001, -0.004, 0.002)) == "0.00 (0.00 to 0.00)"
    assert interval(Interval(-0.001, math.nan, math.nan), "+.2f") == "+0.00"
    assert number(-0.4, ".0f") == "0"
    assert number(-0.0004, "+.3f") == "+0.000"


def test_columns_are_aligned_and_bars_escaped() -> None:
    lines = table(["a", "long head"], [["wide cell", "|"]]).splitlines()
    assert lines == [
        "| a         | long head |",
        "| --------- | --------- |",
        "| wide cell | \\|        |",
    ]
