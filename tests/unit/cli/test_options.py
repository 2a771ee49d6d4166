import gc
import sys
from pathlib import Path
from typing import get_args

import pytest

from amesh.cli.options import needs_training
from amesh.errors import UserError
from amesh.pipeline.smoothing import PRESETS
from amesh.pipeline.smoothing_kind import SmoothingKind


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that notes whether garbage is collected while it is imported."""
    (tmp_path / "noted.py").write_text("import gc\ncollecting = gc.isenabled()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "noted", raising=False)
    return "noted"


def test_garbage_is_not_collected_while_a_training_module_is_imported(module: str) -> None:
    assert needs_training(module, "collecting") is False
    assert gc.isenabled()
    gc.unfreeze()


def test_a_missing_package_is_named_with_its_extra(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "needy.py").write_text("import no_such_package\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UserError, match=r"install .*'\.\[train\]'"):
        needs_training("needy", "x")
    assert gc.isenabled()
    gc.unfreeze()


def test_a_missing_module_of_ours_is_no_matter_of_extras() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        needs_training("amesh.no_such_module", "x")


def test_smoothing_is_offered_by_the_names_that_the_filter_knows() -> None:
    assert get_args(SmoothingKind) == tuple(PRESETS)
