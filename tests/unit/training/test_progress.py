import warnings
from types import SimpleNamespace

import pytest

from amesh.training.callbacks import Progress
from amesh.training.cli import BuildingOnly, named_configs, quieten
from amesh.training.data_module import data_epoch

pytest.importorskip("rich")
RUN = ["fit", "--config", "quick", "--trainer.logger=false"]
# Lightning's own: a deprecated call of torch.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("JSONARGPARSE_DEPRECATION_WARNINGS", "off")


@pytest.mark.parametrize(("epochs", "shown"), [("-1", "Epoch 3"), ("5", "Epoch 3/4")])
def test_the_bar_names_the_number_of_epochs_only_where_there_is_one(epochs, shown):
    words = [*RUN, f"--trainer.max_epochs={epochs}"]
    built = BuildingOnly(named_configs(words))
    bar = built.trainer.progress_bar_callback
    assert isinstance(bar, Progress)
    bar.setup(built.trainer, built.model, "fit")
    assert bar._get_train_description(3).strip() == shown


def test_a_bar_that_is_switched_off_stays_off():
    words = [*RUN, "--trainer.enable_progress_bar=false"]
    assert BuildingOnly(named_configs(words)).trainer.progress_bar_callback is None


def test_nothing_to_validate_on_is_not_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quieten()
        warnings.warn("Total length of `list` across ranks is zero. Please", stacklevel=1)


def test_repeated_batches_stay_in_the_first_epoch():
    assert data_epoch(SimpleNamespace(current_epoch=4)) == 4
    assert data_epoch(SimpleNamespace(current_epoch=4, overfit_batches=0.0)) == 4
    assert data_epoch(SimpleNamespace(current_epoch=4, overfit_batches=1)) == 0
