import csv
import math
import warnings
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger
from torch.utils.data import DataLoader

from amesh.errors import UserError
from amesh.training.best import BestCheckpoint, flag_drift, verdict

pytestmark = [  # Lightning's own
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:Total length of `list` across ranks is zero"),
    pytest.mark.filterwarnings("ignore::pytorch_lightning.utilities.warnings.PossibleUserWarning"),
]


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


class _Alone:
    """One rank."""

    def reduce_boolean_decision(self, decision: bool) -> bool:
        return decision


# ---------------------------------------------------------------------------- the start included


class Scripted(pl.LightningModule):
    """Trains one number, and measures the errors that it is told, one at each validation."""

    def __init__(self, errors: list[float], name: str = "val/nme") -> None:
        super().__init__()
        self.steps = torch.nn.Parameter(torch.zeros(()))
        self.errors, self.name = iter(errors), name

    def training_step(self, batch, number):
        self.log("train/loss", 9.0)
        return -self.steps

    def validation_step(self, batch, number):
        if number == 0:
            self.log(self.name, next(self.errors))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


def _run(folder: Path, errors: list[float], first: int = -1, validation: int = 2, **model):
    """Trains step by step from the first error on, with two batches of validation data.

    Returns:
        The callback, and the number of steps of the network that it kept.
    """
    best = BestCheckpoint()
    trainer = pl.Trainer(
        accelerator="cpu",
        callbacks=[best],
        default_root_dir=folder,
        enable_model_summary=False,
        enable_progress_bar=False,
        log_every_n_steps=1,
        logger=CSVLogger(folder, name="logs"),
        max_steps=len(errors) - (first != 0),
        num_sanity_val_steps=first,
        val_check_interval=1,
    )
    train, val = (DataLoader(torch.zeros(count), batch_size=1) for count in (9, validation))
    trainer.fit(Scripted(errors, **model), train, val if validation else [])
    kept = best.best_model_path and torch.load(best.best_model_path, weights_only=True)
    return best, kept and kept["state_dict"]["steps"].item()


def test_the_network_that_training_starts_from_is_kept_if_nothing_is_better(tmp_path):
    best, kept = _run(tmp_path, [2.5, 2.75, 2.5])
    assert kept == 0
    assert best.best_model_score == 2.5
    with (tmp_path / "logs" / "version_0" / "metrics.csv").open() as file:
        logged = [(row["step"], row["val/nme"]) for row in csv.DictReader(file) if row["val/nme"]]
    assert logged == [("0", "2.5"), ("0", "2.75"), ("1", "2.5")]


def test_a_better_network_takes_its_place(tmp_path):
    best, kept = _run(tmp_path, [2.5, 2.25, 2.75])
    assert kept == 1
    assert best.start == {"val/nme": 2.5, "step": 0.0}
    assert best.best == {"val/nme": 2.25, "step": 1.0}
    assert best.last == {"val/nme": 2.75, "step": 2.0}


def test_a_start_that_is_not_a_number_is_beaten_by_one(tmp_path):
    best, kept = _run(tmp_path, [math.nan, 2.25])
    assert (best.best["step"], kept) == (1.0, 1)


@pytest.mark.parametrize("first", [0, 1])
def test_a_start_that_was_not_measured_on_all_data_does_not_count(tmp_path, first):
    errors = [2.75, 3.0] if first == 0 else [2.5, 2.75, 3.0]
    best, kept = _run(tmp_path, errors, first=first)
    assert (best.start, kept) == ({}, 1)


def test_nothing_to_validate_on_leaves_no_best(tmp_path):
    best, _ = _run(tmp_path, [2.5, 2.5], validation=0)
    assert (best.start, best.best, best.best_model_path) == ({}, {}, "")


def test_validation_without_the_error_to_watch_is_refused(tmp_path):
    with pytest.raises(UserError, match="does not measure val/nme"):
        _run(tmp_path, [2.5, 2.5], name="val/face")


def test_a_resumed_run_remembers_the_start_and_the_best(tmp_path):
    before, _ = _run(tmp_path, [2.5, 2.25, 2.75])
    after = BestCheckpoint()
    after.dirpath = before.dirpath
    after.load_state_dict(before.state_dict())
    assert (after.start, after.best) == (before.start, before.best)
    assert after.best_model_score == 2.25


def test_the_verdict_says_what_training_was_worth():
    start, better = {"val/nme": 2.5, "step": 0.0}, {"val/nme": 2.25, "step": 40.0}
    worse = {"val/nme": 2.75, "step": 60.0}
    assert verdict("val/nme", start, better, worse) == (
        "val/nme started at 2.500, best at 2.250 after 40 steps"
    )
    text = verdict("val/nme", start, start, worse)
    assert "started at 2.500 and never got better (at the end 2.750)" in text
    assert "the one that training started from" in text


@pytest.mark.parametrize(
    ("accuracy", "logit", "said"),
    [
        (0.95, 22.0, None),
        (0.935, 24.0, None),
        (1.0, 30.0, "30.0 for faces on average (start: 22.0)"),
        (1.0, 19.0, "19.0 for faces on average (start: 22.0)"),
        (0.9, 22.0, "right for 90.0% of the validation data (start: 95.0%)"),
    ],
)
def test_a_face_flag_that_drifts_is_named(accuracy, logit, said):
    start = {"val/face_accuracy": 0.95, "val/face_logit": 22.0}
    found = flag_drift(start, {"val/face_accuracy": accuracy, "val/face_logit": logit})
    assert found is None if said is None else said in found
    assert flag_drift({}, {}) is None
