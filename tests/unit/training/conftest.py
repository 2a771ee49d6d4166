"""What tests of training share; they are skipped where the extra `train` is not installed."""

from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec("pytorch_lightning") is None:
    collect_ignore_glob = ["test_*.py"]

SUPPORT = Path(__file__).resolve().parents[2] / "support"


@pytest.fixture
def drawn_faces(monkeypatch: pytest.MonkeyPatch):
    """The module that draws faces, as configurations name it."""
    monkeypatch.syspath_prepend(str(SUPPORT))
    import drawn_faces

    return drawn_faces
