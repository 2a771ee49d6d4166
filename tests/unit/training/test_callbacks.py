import warnings
from pathlib import Path

import pytest
import torch

from amesh.training.callbacks import BestCheckpoint, Progress, network_name
from amesh.training.cli import TrainingCLI
from amesh.training.tracking import Tracker


def _state(folder: Path) -> dict:
    """What a run leaves of its best checkpoint: 2.5 % error."""
    best = str(folder / "best.ckpt")
    score = torch.tensor(2.5)
    return {
        "monitor": "val/nme",
        "best_model_score": score,
        "best_model_path": best,
        "current_score": score,
        "dirpath": str(folder),
        "best_k_models": {best: score},
        "kth_best_model_path": best,
        "kth_value": score,
        "last_model_path": "",
    }


def test_a_run_resumed_into_another_folder_keeps_the_best_score(tmp_path: Path):
    (tmp_path / "best.ckpt").write_bytes(b"the best so far")
    best = BestCheckpoint()
    best.dirpath = str(tmp_path / "resumed")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        best.load_state_dict(_state(tmp_path))
    assert best.dirpath == str(tmp_path / "resumed")
    assert best.best_model_path == str(tmp_path / "best.ckpt")
    assert best.best_model_score == 2.5
    trainer = type("Trainer", (), {"strategy": _Alone()})()
    assert not best.check_monitor_top_k(trainer, torch.tensor(2.6))
    assert best.check_monitor_top_k(trainer, torch.tensor(2.4))


def test_a_best_checkpoint_that_is_gone_need_not_be_beaten(tmp_path: Path):
    best = BestCheckpoint()
    best.dirpath = str(tmp_path / "resumed")
    with pytest.warns(UserWarning, match="The dirpath has changed"):
        best.load_state_dict(_state(tmp_path))
    assert best.best_model_score is None
    assert best.best_k_models == {}


def test_a_trained_network_has_a_name_of_its_own(tmp_path: Path):
    folder = tmp_path / "logs" / "version_3" / "checkpoints"
    tracked = [Tracker(name="smiles, 2nd try", offline=True)]
    assert network_name("released-192", folder, []) == "released-192-version_3"
    assert network_name("released-192", folder, tracked) == "smiles-2nd-try"
    assert network_name("mine", folder, tracked) == "mine"


class _Alone:
    """One rank."""

    def reduce_boolean_decision(self, decision: bool) -> bool:
        return decision


# ------------------------------------------------------------------------------- the progress bar

RUN = ["--config", "quick", "--trainer.logger=false"]


@pytest.fixture
def quiet(monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setenv("JSONARGPARSE_DEPRECATION_WARNINGS", "off")


@pytest.mark.parametrize(("epochs", "shown"), [(-1, "Epoch 3"), (5, "Epoch 3/4")])
@pytest.mark.filterwarnings("ignore::FutureWarning")  # Lightning calls a deprecated function
@pytest.mark.usefixtures("quiet")
def test_the_bar_names_the_number_of_epochs_only_if_there_is_one(epochs, shown):
    from rich.progress import Progress as RichProgress

    trainer = TrainingCLI("fit", [*RUN, f"--trainer.max_epochs={epochs}"]).trainer
    bar = trainer.progress_bar_callback
    assert isinstance(bar, Progress)
    first, *others = bar.configure_columns(trainer)
    assert others
    progress = RichProgress(first, disable=True)
    progress.add_task(f"Epoch 3/{trainer.max_epochs - 1}")  # as Lightning describes it
    assert first.render(progress.tasks[0]).plain == shown


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.usefixtures("quiet")
def test_a_bar_that_is_switched_off_stays_off():
    words = [*RUN, "--trainer.enable_progress_bar=false"]
    assert TrainingCLI("fit", words).trainer.progress_bar_callback is None
