import math
from xml.etree import ElementTree

import pytest

from amesh.charts import Panel, Point, line_charts

SVG = "{http://www.w3.org/2000/svg}"


def _groups(text: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(text).iter(f"{SVG}g"))


def _line(group: ElementTree.Element) -> list[tuple[float, float]]:
    [line] = group.iter(f"{SVG}polyline")
    return [
        (float(x), float(y)) for x, y in (at.split(",") for at in line.attrib["points"].split())
    ]


def _texts(element: ElementTree.Element) -> set[str]:
    return {str(text.text) for text in element.iter(f"{SVG}text")}


def _zero(group: ElementTree.Element) -> float:
    """The height of the axis."""
    [axis] = [line for line in group.iter(f"{SVG}line") if line.attrib["stroke"] == "#888"]
    return float(axis.attrib["y1"])


def test_chart_is_valid_svg_that_starts_at_zero() -> None:
    line = [Point(0.7, 4.0, 3.5, 4.5), Point(1.0, 2.0)]
    panels = [Panel("scale <x>", "side", {"a & b": line}), Panel("roll", "degrees", {"c": line})]
    text = line_charts(panels, "error [%]")
    known = {"scale <x>", "roll", "a & b", "c", "error [%]", "side", "degrees", "0", "0.7", "1"}
    assert known <= _texts(ElementTree.fromstring(text))
    first, _ = _groups(text)
    (_, high), (_, low) = _line(first)
    assert _zero(first) - high == pytest.approx(2 * (_zero(first) - low), abs=0.2)


def test_interval_is_a_band_around_its_points() -> None:
    line = [Point(0, 4.0, 3.0, 5.0), Point(1, 2.0), Point(2, 4.0, 3.0, 5.0)]
    [group] = _groups(line_charts([Panel("", "", {"a": line})]))
    [band] = group.iter(f"{SVG}polygon")
    edge = [tuple(map(float, at.split(","))) for at in band.attrib["points"].split()]
    (left, middle), _, (right, _) = _line(group)
    assert [x for x, _ in edge] == [left, right, right, left]
    assert edge[0][1] < middle < edge[-1][1]


def test_scales_are_shared_or_each_panels_own() -> None:
    panels = [Panel("small", "", {"a": [Point(0, 1)]}), Panel("large", "", {"a": [Point(0, 100)]})]
    shared = [_zero(group) - _line(group)[0][1] for group in _groups(line_charts(panels))]
    assert shared[1] == pytest.approx(100 * shared[0], rel=0.1)
    own = [
        _zero(group) - _line(group)[0][1] for group in _groups(line_charts(panels, shared=False))
    ]
    assert own[0] == pytest.approx(own[1])


def test_panels_fill_rows() -> None:
    panels = [Panel(str(i), "", {"a": [Point(0, 1)]}) for i in range(5)]
    places = [group.attrib["transform"] for group in _groups(line_charts(panels, columns=3))]
    found = [tuple(map(float, place[10:-1].split())) for place in places]
    assert len({x for x, _ in found}) == 3
    assert len({y for _, y in found}) == 2
    assert found[3][0] == found[0][0]
    assert found[3][1] > found[0][1]


def test_negative_values_are_below_the_axis() -> None:
    line = [Point(step, value) for step, value in enumerate((3.0, -1.0))]
    [group] = _groups(line_charts([Panel("loss", "step", {"train": line})]))
    (_, above), (_, below) = _line(group)
    assert above < _zero(group) < below


def test_what_is_not_finite_is_left_out() -> None:
    line = [Point(0, 1.0), Point(1, math.nan), Point(2, math.inf), Point(3, 2.0)]
    text = line_charts([Panel("loss", "step", {"train": line}), Panel("none", "step", {})])
    assert len(_line(_groups(text)[0])) == 2
    assert "nan" not in text
    assert "inf" not in text


def test_long_lines_have_a_few_numbers_and_no_dots() -> None:
    line = [Point(step, 1.0) for step in range(0, 6500, 50)]
    [group] = _groups(line_charts([Panel("", "step", {"train": line})]))
    assert {"0", "2000", "4000", "6000"} <= _texts(group)
    assert "50" not in _texts(group)
    assert not list(group.iter(f"{SVG}circle"))


def test_legend_wraps_within_the_chart() -> None:
    names = [f"a network with a long name, number {i}" for i in range(6)]
    panel = Panel("", "", {name: [Point(0, 1)] for name in names})
    root = ElementTree.fromstring(line_charts([panel]))
    places = {
        text.text: (float(text.attrib["x"]), float(text.attrib["y"]))
        for text in root.iter(f"{SVG}text")
    }
    assert len({places[name][1] for name in names}) == 6
    assert max(places[name][1] for name in names) < float(root.attrib["height"])


def test_labels_stand_beside_their_points_and_inside_the_chart() -> None:
    line = [Point(0, 2.0, label="off"), Point(1, 1.0, label="strong"), Point(0.5, 1.0)]
    [group] = _groups(line_charts([Panel("", "lag", {"a": line})]))
    found = {text.text: text.attrib for text in group.iter(f"{SVG}text")}
    first, second, _ = _line(group)
    off, strong = found["off"], found["strong"]
    assert 0 < float(off["x"]) - first[0] < 10
    assert 0 < first[1] - float(off["y"]) < 10
    assert off["text-anchor"] == "start"
    assert 0 < second[0] - float(strong["x"]) < 10
    assert strong["text-anchor"] == "end"


def test_numbers_of_near_points_do_not_overlap() -> None:
    def numbers(*values: float) -> set[str]:
        line = [Point(value, 1.0) for value in values]
        [group] = _groups(line_charts([Panel("", "lag", {"a": line})]))
        return _texts(group)

    assert {"0", "0.3", "1"} <= numbers(0, 0.3, 1)
    near = numbers(0, 0.01, 0.3, 1)
    assert "0.01" not in near
    assert {"0", "0.5", "1"} <= near
