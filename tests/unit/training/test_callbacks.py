import os
import signal
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.exceptions import SIGTERMException

from amesh.training.callbacks import BestCheckpoint, Progress, StopTogether, network_name
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


# -------------------------------------------------------------- SIGTERM to one of several processes

MODULE = pl.LightningModule()
Make = Callable[..., pl.Trainer]


@pytest.fixture
def own_handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Make:
    """One of so many processes, of which others were asked to stop."""

    def trainer(processes: int, others: float = 0.0) -> pl.Trainer:
        one = pl.Trainer(
            accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
        )

        def reduce(asked: torch.Tensor, reduce_op: str) -> torch.Tensor:
            assert reduce_op == "sum"
            return asked + others

        monkeypatch.setattr(one.strategy, "reduce", reduce)
        monkeypatch.setattr(pl.Trainer, "world_size", processes)
        return one

    return trainer


@pytest.mark.parametrize("others", [0.0, 1.0])
@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.usefixtures("own_handler")
def test_all_stop_where_any_is_asked(make: Make, asked: bool, others: float) -> None:
    stop, trainer = StopTogether(), make(2, others)
    stop.on_train_start(trainer, MODULE)
    if asked:
        os.kill(os.getpid(), signal.SIGTERM)
    stop.on_train_batch_start(trainer, MODULE, None, 0)  # the others do not know yet
    stop.on_train_batch_end(trainer, MODULE, None, None, 0)
    for go_on in (
        partial(stop.on_train_batch_start, trainer, MODULE, None, 1),
        partial(stop.on_validation_start, trainer, MODULE),
    ):
        if asked or others > 0:
            with pytest.raises(SIGTERMException):
                go_on()
        else:
            go_on()


@pytest.mark.usefixtures("own_handler")
def test_one_process_keeps_lightnings_handler(make: Make) -> None:
    before = signal.getsignal(signal.SIGTERM)
    stop, trainer = StopTogether(), make(1)
    stop.on_sanity_check_start(trainer, MODULE)
    stop.on_train_start(trainer, MODULE)
    assert signal.getsignal(signal.SIGTERM) is before
