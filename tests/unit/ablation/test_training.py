from collections.abc import Sequence
from pathlib import Path

import pytest

from amesh.ablation.runs import FIT
from amesh.ablation.training import FOLDER, run
from amesh.files import locked


def test_a_training_holds_the_lock_of_its_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "a" / "seed-0"
    arguments = ["fit", "--config=quick", f"{FOLDER}{folder}"]
    seen: list[Sequence[str]] = []

    def fit(given: Sequence[str]) -> int:
        seen.append(given)
        assert run(arguments, fit) == 2  # a second one, while the first is under way
        return 143

    assert run(arguments, fit) == 143
    assert seen == [arguments]
    assert capsys.readouterr().err == f"amesh: {folder}: another process trains here; wait for it\n"
    with locked(folder / ".lock", "not released"):
        pass


def test_further_processes_of_a_training_do_not_wait_for_its_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    with locked(tmp_path / ".lock"):
        assert run(["fit", f"{FOLDER}{tmp_path}"], lambda _: 0) == 0


def test_the_module_is_the_one_that_ablate_starts() -> None:
    assert FIT[2:] == (run.__module__, "fit")
