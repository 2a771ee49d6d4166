from importlib.metadata import version
from pathlib import Path

import pytest
import pytorch_lightning as pl
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from amesh.errors import UserError
from amesh.training.lightning import KNOWN_TO_WORK, NEEDED, check_known, forget_sigterm

tomllib = pytest.importorskip("tomllib")


@pytest.fixture
def trainer() -> pl.Trainer:
    return pl.Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
    )


def test_the_versions_that_work_are_those_that_the_package_admits() -> None:
    project = Path(__file__).parents[3] / "pyproject.toml"
    extras = tomllib.loads(project.read_text())["project"]["optional-dependencies"]
    wanted = [Requirement(one) for one in extras["train"]]
    [lightning] = [one for one in wanted if one.name == "pytorch-lightning"]
    assert lightning.specifier == SpecifierSet(KNOWN_TO_WORK)
    assert version("pytorch-lightning") in lightning.specifier


def test_the_installed_version_has_all_that_is_needed(trainer: pl.Trainer) -> None:
    check_known(trainer)
    trainer._signal_connector.received_sigterm = True
    forget_sigterm(trainer)
    assert not trainer.received_sigterm


@pytest.mark.parametrize("name", ["_data_fetcher", "epoch_progress"])
def test_a_version_that_lacks_something_is_named(trainer: pl.Trainer, name: str) -> None:
    assert f"fit_loop.{name}" in NEEDED
    delattr(trainer.fit_loop, name)
    with pytest.raises(UserError, match=rf" has no fit_loop\.{name}, which amesh") as caught:
        check_known(trainer)
    assert str(caught.value).endswith("install pytorch-lightning>=2.6.6,<2.7")
