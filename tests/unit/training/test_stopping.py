"""SIGTERM to one of several processes; that they do stop is proved in the integration tests."""

import os
import signal
from collections.abc import Callable, Iterator

import pytest
import pytorch_lightning as pl
import torch

from amesh.training.callbacks import StopTogether

MODULE = pl.LightningModule()
Make = Callable[..., pl.Trainer]


@pytest.fixture(autouse=True)
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
def test_all_stop_where_any_is_asked(make: Make, asked: bool, others: float) -> None:
    stop, trainer = StopTogether(), make(2, others)
    stop.on_train_start(trainer, MODULE)
    if asked:
        os.kill(os.getpid(), signal.SIGTERM)
    assert not trainer.received_sigterm  # not in the middle of a step
    stop.on_train_batch_end(trainer, MODULE, None, None, 0)
    assert trainer.received_sigterm is (asked or others > 0)


def test_one_process_keeps_lightnings_handler(make: Make) -> None:
    before = signal.getsignal(signal.SIGTERM)
    stop, trainer = StopTogether(), make(1)
    stop.on_sanity_check_start(trainer, MODULE)
    stop.on_train_start(trainer, MODULE)
    assert signal.getsignal(signal.SIGTERM) is before
