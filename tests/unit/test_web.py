import runpy
from pathlib import Path

WEB = Path(__file__).resolve().parents[2] / "web"


def test_the_browser_has_the_facts_of_the_package() -> None:
    tool = runpy.run_path(str(WEB / "tools" / "face_data.py"))
    written = (WEB / "src" / "lib" / "effects" / "face.json").read_text()
    assert tool["text"]() == written, "run python web/tools/face_data.py"
