"""Tests training by its behaviour: overfitting, reproducibility, resuming, several ranks."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from drawn_faces import write_faces
from training_runs import CONFIG, assert_same, data, fit, last, logged, start

pytest.importorskip("pytorch_lightning")

# Lightning's own warnings: a deprecated torch call, advice about workers and logging.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytorch_lightning.utilities.warnings.PossibleUserWarning"),
    pytest.mark.filterwarnings("ignore:The dirpath has changed:UserWarning"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* not empty:UserWarning"),
]
Train = Callable[..., Path]


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options to train and validate on eight drawn samples, two of them without a face."""
    return data(write_faces(tmp_path_factory.mktemp("eight"), 8, negatives=4))


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory, faces: list[str]) -> Train:
    """Runs `amesh fit` on drawn faces in this process and returns the run's folder."""
    return lambda *options, verb="fit": fit(
        tmp_path_factory.mktemp("run"), *faces, *options, verb=verb
    )


def test_four_faces_are_overfitted(train, tmp_path):
    four = write_faces(tmp_path / "four", 4)
    run = train(
        # Twelve epochs of ten steps: 120 epochs of one step would take 50 % longer.
        *(f"--data.train=[{{path: {four}, repeat: 10}}]", f"--data.val=[{{path: {four}}}]"),
        *("--data.batch_size=4", "--data.augment.rotation=0", "--data.augment.mirror=0"),
        *("--trainer.max_epochs=12", "--trainer.check_val_every_n_epoch=12"),
        *("--model.optimiser.learning_rate=0.01", "--averaging.decay=0.95"),
        *("--last.every_n_steps=1000", "--model.schedule.ideal=0.3"),
    )
    errors = logged(run, "val/nme")
    # It starts at the mean face, with an error of 13 %; tiny-128 reaches 0.25 % in 250 steps.
    assert errors[119] < 3.0
    assert ">nme: val " in (run / "report.html").read_text()
    phases = logged(run, "train/phase")
    assert [phases[step] for step in (0, 35, 36, 119)] == [1.0, 1.0, 2.0, 2.0]


def test_a_seed_gives_the_same_losses_and_weights(train):
    runs = [train("--trainer.max_epochs=1", "--averaging.decay=0.9") for _ in range(2)]
    losses = [logged(run, "train/loss") for run in runs]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 4
    assert_same(*(last(run) for run in runs))
    # A checkpoint's weights are the average; those to resume from are stored separately.
    checkpoint = last(runs[0])
    average, current = checkpoint["state_dict"], checkpoint["current_model_state"]
    assert any(not torch.equal(average[name], current[name]) for name in average)
    assert checkpoint["amesh"]["network"]["name"] == "smallest"


def test_resume_after_kill_9_is_bit_identical(train, faces, tmp_path):
    """For SIGTERM see `test_training_results`, which resumes within the process."""
    undisturbed = train("--last.every_n_steps=3")
    kill = ["--trainer.callbacks+=training_callbacks.KillAt", "--trainer.callbacks.step=7"]
    kill.append(f"--trainer.callbacks.signal={int(signal.SIGKILL)}")
    done = start(tmp_path / "killed", *faces, "--last.every_n_steps=3", *kill)
    assert done.returncode == -signal.SIGKILL, done.stderr
    killed = tmp_path / "killed" / "logs" / "version_0"
    checkpoint = killed / "checkpoints" / "last.ckpt"
    # In the middle of an epoch of four steps; a checkpoint is written at every third.
    assert last(killed)["global_step"] == 6
    (checkpoint.parent / ".best.ckpt.0a1b2c3d").touch()  # as if the kill came while it was written

    resume = [*faces, "--last.every_n_steps=3", f"--ckpt_path={checkpoint}"]
    elsewhere = fit(tmp_path / "elsewhere", *resume)
    expected = logged(undisturbed, "train/loss")
    assert sorted(expected) == list(range(12))
    assert logged(elsewhere, "train/loss") == {s: loss for s, loss in expected.items() if s >= 6}

    assert fit(tmp_path / "killed", *resume) == killed
    assert list(killed.parent.iterdir()) == [killed]
    assert not list(killed.rglob(".*"))
    assert (killed / "metrics.csv").read_text() == (undisturbed / "metrics.csv").read_text()
    assert logged(elsewhere, "val/nme")[11] == logged(undisturbed, "val/nme")[11]
    for resumed in (elsewhere, killed):
        assert_same(last(undisturbed), last(resumed))


def test_a_run_that_cannot_begin_leaves_no_folder(faces, tmp_path):
    fit(tmp_path / "data", "--data.train=nowhere", code=2)
    whole = fit(tmp_path / "whole", *faces, "--trainer.max_epochs=1")
    other = [f"--ckpt_path={whole / 'checkpoints' / 'last.ckpt'}", "--model.network.depth=2"]
    fit(tmp_path / "network", *faces, *other, code=2)
    assert list(tmp_path.iterdir()) == [tmp_path / "whole"]


def test_two_ranks_equal_one_with_the_doubled_batch(train, faces, tmp_path):
    options = ["--trainer.max_epochs=1", "--trainer.limit_val_batches=0", "--save.name=network"]
    one = train("--data.batch_size=4", *options)
    two = tmp_path / "two"
    ddp = ["--trainer.strategy=ddp", "--trainer.devices=2", "--data.batch_size=2"]
    done = start(two, *faces, *ddp, *options, ranks=2)
    assert done.returncode == 0, done.stderr
    two = two / "logs" / "version_0"
    first, second = logged(one, "train/loss"), logged(two, "train/loss")
    assert second == pytest.approx(first, rel=1e-5)
    assert len(first) == 2
    ours, theirs = last(one)["current_model_state"], last(two)["current_model_state"]
    for name, tensor in ours.items():
        assert torch.allclose(tensor, theirs[name], atol=1e-4), name


def test_two_ranks_stop_after_the_same_step_whichever_is_asked(faces, tmp_path):
    ddp = ["--trainer.strategy=ddp", "--trainer.devices=2", "--data.batch_size=1"]
    kill = ["--trainer.callbacks+=training_callbacks.KillAt", "--trainer.callbacks.step=2"]
    kill += [f"--trainer.callbacks.signal={int(signal.SIGTERM)}", "--trainer.callbacks.rank=1"]
    run = tmp_path / "run"
    done = start(run, *faces, *ddp, *kill, "--trainer.limit_val_batches=0", ranks=2)
    checkpoint = run / "logs" / "version_0" / "checkpoints" / "last.ckpt"
    assert f"stopped by SIGTERM; resume with --ckpt_path={checkpoint}" in done.stderr, done.stderr
    assert "left behind" not in done.stderr
    assert torch.load(checkpoint, weights_only=True)["global_step"] == 2


def test_fast_dev_run_leaves_nothing_behind(train, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train("--trainer.fast_dev_run=true")
    assert not list(tmp_path.rglob("*.ckpt")) + list(tmp_path.rglob("*.safetensors"))


@pytest.mark.parametrize("architecture", ["MeshOnly", "Cascade", "PlainMesh"])
def test_other_architectures_train_and_validate_by_the_same_command(train, architecture):
    from amesh.weights import store

    run = train(f"--model.architecture={architecture}", "--trainer.max_epochs=1")
    net = store.load(run / "checkpoints" / "network.safetensors")
    assert type(net).__name__ == architecture
    assert net.config.name == "smallest"
    checkpoint = run / "checkpoints" / "best.ckpt"
    options = [f"--model.architecture={architecture}", f"--ckpt_path={checkpoint}"]
    validated = train(*options, verb="validate")
    assert logged(validated, "val/nme")[0] == pytest.approx(logged(run, "val/nme")[3], rel=1e-6)


def test_a_checkpoint_of_another_network_is_refused(train, faces, tmp_path, capsys):
    from amesh.training.cli import main

    run = train("--trainer.max_epochs=1", "--trainer.limit_val_batches=0")
    words = ["fit", "--config", CONFIG, f"--ckpt_path={run / 'checkpoints' / 'last.ckpt'}", *faces]
    words += ["--trainer.default_root_dir", str(tmp_path), "--model.network.depth=2"]
    assert main(words) == 2
    assert "checkpoint of another network: its depth is 1" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["crop_source=regressed"], ["sampler=gaussian"]])
def test_other_attention_trains_through_both_phases(train, options):
    words = [f"--model.network.{option}" for option in options]
    run = train(
        *words, "--model.bf16=true", "--trainer.max_epochs=1", "--trainer.limit_val_batches=0"
    )
    assert set(logged(run, "train/phase").values()) == {1.0, 2.0}
    theta = logged(run, "train/theta")
    assert (theta[0] > 0) == (options == ["crop_source=regressed"])


def test_without_a_key_wandb_records_offline_with_the_whole_configuration(faces, tmp_path):
    names = ("WANDB_API_KEY", "WANDB_MODE")
    for name in names:
        os.environ.pop(name, None)
    tracker = ["--trainer.logger=amesh.training.tracking.Tracker"]
    tracker += [f"--trainer.logger.save_dir={tmp_path / 'tracked'}", "--trainer.max_epochs=1"]
    done = start(tmp_path / "run", *faces, *tracker)
    assert done.returncode == 0, done.stderr
    runs = list((tmp_path / "tracked" / "wandb").glob("offline-run-*"))
    assert len(runs) == 1
    assert logged(tmp_path / "run" / "logs" / "version_0", "train/loss")
    record = next(runs[0].glob("*.wandb")).read_bytes()
    assert b"learning_rate" in record
    assert b"train/loss" in record
