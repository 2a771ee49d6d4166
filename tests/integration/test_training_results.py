"""The results of training: the best weights, figures over all ranks, exact resuming."""

import signal
from pathlib import Path

import pytest
import torch
from drawn_faces import write_faces
from training_runs import assert_same, data, fit, last, logged, start

pytest.importorskip("pytorch_lightning")

# Lightning's own warnings: a deprecated torch call, advice about workers and logging.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytorch_lightning.utilities.warnings.PossibleUserWarning"),
    pytest.mark.filterwarnings("ignore:The dirpath has changed:UserWarning"),
]


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("five"), 5, negatives=5)


def test_the_best_network_is_written_and_not_the_last(five, tmp_path):
    from amesh.weights import store

    spoil = ["--trainer.callbacks+=training_callbacks.SpoilAt", "--trainer.callbacks.step=4"]
    run = fit(tmp_path, *data(five), *spoil, "--averaging.decay=0")
    errors = logged(run, "val/nme")
    assert min(errors, key=errors.__getitem__) < 4  # the spoilt network is worse
    path = run / "checkpoints" / "network.safetensors"
    written = store.load(path).state_dict()
    best = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    assert best["global_step"] <= 4
    for name, tensor in written.items():
        assert torch.equal(tensor, best["state_dict"][f"net.{name}"]), name
    assert any(not torch.equal(t, last(run)["state_dict"][f"net.{n}"]) for n, t in written.items())
    origin = store.header(path)["origin"]
    assert origin["checkpoint"] == "best.ckpt"
    assert origin["licences"] == {"CC0": 5}
    assert "warm_start" not in origin

    # Fine-tuned weights record what they started from, even after resuming a checkpoint.
    tuned = fit(
        tmp_path / "tuned", *data(five), f"--model.warm_start={path}", "--trainer.max_epochs=1"
    )
    checkpoint = tuned / "checkpoints" / "last.ckpt"
    resumed = fit(tmp_path / "on", *data(five), f"--ckpt_path={checkpoint}", "--data.hold_out=0.5")
    for one in (tuned, resumed):
        found = store.header(one / "checkpoints" / "network.safetensors")["origin"]
        assert found["warm_start"] == {"weights": "network", **origin}


def test_two_ranks_with_fillers_validate_as_one_and_draw_the_worst(five, tmp_path):
    # The second step has one face in four places; the second rank has only fillers.
    options = [*data(five), "--data.batch_size=2", "--worst.count=2"]
    one = fit(tmp_path / "one", *options, verb="validate")
    ddp = ["--trainer.strategy=ddp", "--trainer.devices=2"]
    done = start(tmp_path / "two", *options, *ddp, ranks=2, verb="validate")
    assert done.returncode == 0, done.stderr
    two = tmp_path / "two" / "logs" / "version_0"
    header = (one / "metrics.csv").read_text().splitlines()[0].split(",")
    columns = [column for column in header if column.startswith("val/")]
    assert {"val/mesh", "val/z", "val/theta", "val/face", "val/nme"} <= set(columns)
    for column in columns:
        assert logged(two, column)[0] == pytest.approx(logged(one, column)[0], rel=1e-5), column
    assert all((run / "worst-0000000.png").is_file() for run in (one, two))


def test_overfitting_sees_the_same_pictures_in_every_epoch(tmp_path):
    faces = data(write_faces(tmp_path / "eight", 8))
    note = "--trainer.callbacks+=training_callbacks.NotePictures"
    words = ["--config", "debug/overfit", "--trainer.max_epochs=3", note, "--data.batch_size=2"]
    pictures = logged(fit(tmp_path / "run", *faces, *words), "train/pictures")
    assert len(pictures) == 3
    assert len(set(pictures.values())) == 1


@pytest.fixture
def own_sigterm():
    """Restores the handler of a fresh process: earlier verbs in this process leave their own."""
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("own_sigterm")
def test_resume_is_bit_identical_with_repeated_and_fresh_faces(five, tmp_path):
    options = [
        f"--data.train=[{{path: {five}, repeat: 1.5}}]",
        *("--data.synthetic.faces=4", "--data.synthetic.fresh=true", "--data.batch_size=4"),
        *("--trainer.max_epochs=2", "--averaging.decay=0.9"),
    ]
    undisturbed = fit(tmp_path / "whole", *options)
    kill = ["--trainer.callbacks+=training_callbacks.KillAt", "--trainer.callbacks.step=4"]
    kill.append(f"--trainer.callbacks.signal={int(signal.SIGTERM)}")
    killed = fit(tmp_path / "killed", *options, *kill, code=128 + signal.SIGTERM)
    assert last(killed)["global_step"] == 4  # in the middle of the second epoch of 3 steps
    resumed = fit(tmp_path / "on", *options, f"--ckpt_path={killed / 'checkpoints' / 'last.ckpt'}")
    expected = logged(undisturbed, "train/loss")
    assert sorted(expected) == list(range(6))
    assert logged(resumed, "train/loss") == {s: loss for s, loss in expected.items() if s >= 4}
    assert_same(last(undisturbed), last(resumed))
