"""Fine-tuning never makes a network worse in silence."""

from pathlib import Path

import pytest
import torch
from drawn_faces import write_faces
from training_runs import assert_same, data, fit, last, logged, start

from amesh.weights import store

pytest.importorskip("pytorch_lightning")

# Lightning's own warnings: a deprecated torch call, advice about workers and logging.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytorch_lightning.utilities.warnings.PossibleUserWarning"),
    pytest.mark.filterwarnings("ignore:The dirpath has changed:UserWarning"),
]
WHOLE = "--trainer.num_sanity_val_steps=-1"


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("faces"), 8)


@pytest.fixture(scope="module")
def trained(faces, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that is a little better than one with random weights."""
    run = fit(tmp_path_factory.mktemp("trained"), *data(faces), "--trainer.max_epochs=2")
    return run / "checkpoints" / "network.safetensors"


def test_a_spoilt_network_is_not_kept_and_its_flag_is_left_alone(faces, trained, tmp_path):
    spoil = [WHOLE, f"--model.warm_start={trained}", "--model.optimiser.learning_rate=0.3"]
    spoil.append("--model.face_flag=auto")
    done = start(tmp_path / "run", *data(faces), *spoil, "--averaging.decay=0")
    assert done.returncode == 0, done.stderr
    assert "the face flag, and all that it is computed from, is kept" in done.stderr
    assert "only 8 faces to validate on" in done.stderr
    assert "never got better" in done.stderr
    run = tmp_path / "run" / "logs" / "version_0"
    assert logged(run, "val/nme")[0] < min(list(logged(run, "val/nme").values())[1:])
    before, after = store.load(trained), store.load(run / "checkpoints" / "network.safetensors")
    assert store.header(run / "checkpoints" / "network.safetensors")["origin"]["steps"] == 0
    trained_on = last(run)["current_model_state"]
    for name, tensor in before.state_dict().items():
        assert torch.equal(tensor, after.state_dict()[name]), name
        of_the_flag = name.startswith(("shared.", "mesh.")) and ".head.points" not in name
        assert torch.equal(tensor, trained_on[f"net.{name}"]) == of_the_flag, name


def test_training_resumes_from_the_network_that_it_starts_from(faces, tmp_path):
    whole = fit(tmp_path / "whole", *data(faces), WHOLE, "--model.optimiser.learning_rate=0.3")
    begun = whole / "checkpoints" / "best.ckpt"
    assert torch.load(begun, weights_only=True)["global_step"] == 0
    resumed = fit(tmp_path / "on", *data(faces), WHOLE, f"--ckpt_path={begun}")
    assert sorted(logged(resumed, "train/loss")) == sorted(logged(whole, "train/loss"))
    assert_same(last(whole), last(resumed))
