import warnings
from pathlib import Path

import pytest
import torch

from amesh.training.callbacks import BestCheckpoint, network_name
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
