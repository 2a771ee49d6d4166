from pathlib import Path

import pytest

from amesh.training.callbacks import Progress, network_name
from amesh.training.cli import TrainingCLI
from amesh.training.tracking import Tracker


def test_a_trained_network_has_a_name_of_its_own(tmp_path: Path):
    folder = tmp_path / "logs" / "version_3" / "checkpoints"
    tracked = [Tracker(name="smiles, 2nd try", offline=True)]
    assert network_name("released-192", folder, []) == "released-192-version_3"
    assert network_name("released-192", folder, tracked) == "smiles-2nd-try"
    assert network_name("mine", folder, tracked) == "mine"


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
