"""The end of training: the last step is validated, and the best network is marked as such."""

import signal
from pathlib import Path

import pytest
import torch
from drawn_faces import write_faces
from training_runs import assert_same, data, fit, last, logged

pytest.importorskip("pytorch_lightning")

# Lightning's own warnings: a deprecated torch call, advice about workers and logging.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytorch_lightning.utilities.warnings.PossibleUserWarning"),
]


def test_the_last_step_is_validated_whatever_the_interval(tmp_path: Path):
    from amesh.weights import store

    faces = data(write_faces(tmp_path / "eight", 8))
    interval = ["--trainer.check_val_every_n_epoch=null", "--trainer.val_check_interval=3"]
    interval.append("--trainer.max_epochs=-1")
    first = fit(tmp_path / "first", *faces, *interval, "--trainer.max_steps=7")
    assert sorted(logged(first, "val/nme")) == [2, 5, 6]

    errors = logged(first, "val/nme")
    best = min(errors, key=errors.__getitem__)
    written = store.header(first / "checkpoints" / "network.safetensors")["origin"]
    assert written["checkpoint"] == "best.ckpt"
    assert written["steps"] == best + 1
    saved = torch.load(first / "checkpoints" / "best.ckpt", weights_only=True)
    assert saved["global_step"] == best + 1

    # Resumed into another folder, where no network is as good as the earlier best.
    checkpoint = torch.load(first / "checkpoints" / "last.ckpt", weights_only=True)
    [state] = [one for key, one in checkpoint["callbacks"].items() if "BestCheckpoint" in key]
    small = torch.tensor(0.01)
    state |= {"best_model_score": small, "kth_value": small}
    state["best_k_models"] = {state["best_model_path"]: small}
    torch.save(checkpoint, tmp_path / "resume.ckpt")
    resume = [f"--ckpt_path={tmp_path / 'resume.ckpt'}", "--trainer.max_steps=8"]
    second = fit(tmp_path / "second", *faces, *interval, *resume)
    assert sorted(logged(second, "val/nme")) == [7]
    assert not (second / "checkpoints" / "best.ckpt").exists()
    resumed = store.header(second / "checkpoints" / "network.safetensors")["origin"]
    assert (resumed["checkpoint"], resumed["steps"]) == ("best.ckpt", best + 1)


def test_a_shortened_epoch_resumes_with_its_validation_and_then_the_next(tmp_path: Path):
    faces = data(write_faces(tmp_path / "eight", 8))
    short = [*faces, "--trainer.limit_train_batches=2", "--trainer.max_epochs=-1"]
    short.append("--trainer.max_steps=4")
    whole = fit(tmp_path / "whole", *short)
    # Asked after the last batch of the first epoch: its validation is still to come.
    kill = ["--trainer.callbacks+=training_callbacks.KillAt", "--trainer.callbacks.step=2"]
    kill.append(f"--trainer.callbacks.signal={int(signal.SIGTERM)}")
    first = fit(tmp_path / "first", *short, *kill, code=128 + signal.SIGTERM)
    assert not logged(first, "val/nme")
    checkpoint = first / "checkpoints" / "last.ckpt"
    resumed = fit(tmp_path / "on", *short, f"--ckpt_path={checkpoint}")
    assert logged(resumed, "val/nme") == logged(whole, "val/nme")
    assert_same(last(whole), last(resumed))
