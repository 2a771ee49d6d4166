from amesh.training.report import curves, render

LOG = "epoch,step,train/loss,val/nme,val/nme/lips\n0,0,9.5,,\n0,1,8.0,,\n0,1,,3.25,4.5\n"


def test_curves_are_read_where_they_have_values(tmp_path):
    (tmp_path / "metrics.csv").write_text(LOG)
    found = curves(tmp_path / "metrics.csv")
    assert found["train/loss"] == [(0, 9.5), (1, 8.0)]
    assert found["val/nme/lips"] == [(1, 4.5)]


def test_the_page_shows_each_quantity_and_its_last_value(tmp_path):
    (tmp_path / "metrics.csv").write_text(LOG)
    page = render(tmp_path / "metrics.csv")
    assert page.count("<svg") == 3
    assert page.index(">nme<") < page.index(">loss<")
    for text in ("val 3.25", "train 8", "step 1"):
        assert text in page
    assert "http" not in page
