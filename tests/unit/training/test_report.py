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
    root = ElementTree.fromstring(drawn)  # a picture of its own: three charts side by side
    groups = root.findall("{http://www.w3.org/2000/svg}g")
    titles = [group.findtext("{http://www.w3.org/2000/svg}text") for group in groups]
    assert titles == ["nme: val 3.25", "loss: train 8", "nme/lips: val 4.5"]
    assert {"train", "val", "step"} <= set(root.itertext())
    assert drawn in page("a < b", drawn)
    assert "<h1>a &lt; b</h1>" in page("a < b", drawn)
