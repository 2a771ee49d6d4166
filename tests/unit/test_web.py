import runpy
from pathlib import Path

import pytest

WEB = Path(__file__).resolve().parents[2] / "web"


@pytest.mark.parametrize("name", ["constants", "face_data", "topology"])
def test_the_browser_has_the_facts_of_the_package(name: str) -> None:
    tool = runpy.run_path(str(WEB / "tools" / f"{name}.py"))
    assert tool["text"]() == tool["FILE"].read_text(), f"run python web/tools/{name}.py"
