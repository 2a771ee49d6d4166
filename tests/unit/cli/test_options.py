import gc
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import pytest

from amesh import face_mesh, face_tracker
from amesh.cli.commands import command_parser
from amesh.cli.options import needs_training, open_face_mesh, open_tracker
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


def test_each_network_gets_the_threads_that_are_asked_for(monkeypatch) -> None:
    asked: list[int] = []

    def opened(*_: object, threads: int, **__: object) -> SimpleNamespace:
        asked.append(threads)
        return SimpleNamespace(pipeline=None, smoothing=None, detect_every=1)

    monkeypatch.setattr(face_mesh, "FaceMesh", opened)
    monkeypatch.setattr(face_tracker, "FaceTracker", opened)
    options = command_parser("run").parse_args(["a.jpg", "--threads", "2"])
    open_face_mesh(options)
    open_tracker(options)
    open_face_mesh(command_parser("label").parse_args(["a.jpg", "--output", "shards"]))
    assert asked == [2, 2, 1]


@pytest.mark.parametrize("command", ["run", "label", "negatives", "correct", "evaluate"])
def test_commands_that_run_networks_take_threads(command: str) -> None:
    assert "--threads" in command_parser(command).format_help()


def test_smoothing_is_offered_by_the_names_that_the_filter_knows() -> None:
    assert get_args(SmoothingKind) == tuple(PRESETS)
