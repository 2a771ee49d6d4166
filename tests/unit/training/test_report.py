from xml.etree import ElementTree

from amesh.training.report import curves, page, sheet

LOG = "epoch,step,train/loss,val/nme,val/nme/lips\n0,0,9.5,,\n0,1,8.0,,\n0,1,,3.25,4.5\n"


def test_curves_are_read_where_they_have_values(tmp_path):
    (tmp_path / "metrics.csv").write_text(LOG)
    found = curves(tmp_path / "metrics.csv")
    assert found["train/loss"] == [(0, 9.5), (1, 8.0)]
    assert found["val/nme/lips"] == [(1, 4.5)]


def test_the_sheet_shows_each_quantity_and_its_last_value(tmp_path):
    (tmp_path / "metrics.csv").write_text(LOG)
    drawn = sheet(tmp_path / "metrics.csv")
    assert drawn.index(">nme<") < drawn.index(">loss<") < drawn.index(">nme/lips<")
    for text in ("val 3.25", "train 8", "step 1"):
        assert text in drawn
    # A picture of its own: three charts side by side.
    root = ElementTree.fromstring(drawn)
    groups = root.findall("{http://www.w3.org/2000/svg}g")
    places = [group.get("transform") for group in groups]
    assert places == ["translate(0 0)", "translate(420 0)", "translate(840 0)"]
    assert drawn in page("a < b", drawn)
    assert "<h1>a &lt; b</h1>" in page("a < b", drawn)
