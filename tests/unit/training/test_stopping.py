import os
import signal
from collections.abc import Callable, Iterator
from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.trainer.states import TrainerFn

from amesh.training.stopping import Stopped, StopTogether

MODULE = pl.LightningModule()
Make = Callable[..., pl.Trainer]


@pytest.fixture
def own_handler() -> Iterator[None]:
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


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

        one.state.fn = TrainerFn.FITTING
        monkeypatch.setattr(one.strategy, "reduce", reduce)
        monkeypatch.setattr(pl.Trainer, "world_size", processes)
        return one

    return trainer


@pytest.mark.parametrize("others", [0.0, 1.0])
@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.usefixtures("own_handler")
def test_all_stop_where_any_is_asked(make: Make, asked: bool, others: float) -> None:
    stop, trainer = StopTogether(), make(2, others)
    stop.on_train_start(trainer, MODULE)
    if asked:
        os.kill(os.getpid(), signal.SIGTERM)
    stop.on_train_batch_start(trainer, MODULE, None, 0)  # the others do not know yet
    stop.on_train_batch_end(trainer, MODULE, None, None, 0)
    for go_on in (
        partial(stop.on_train_batch_start, trainer, MODULE, None, 1),
        partial(stop.on_validation_start, trainer, MODULE),
    ):
        if asked or others > 0:
            with pytest.raises(Stopped):
                go_on()
        else:
            go_on()


@pytest.mark.parametrize(
    ("number", "ends"), [(signal.SIGTERM, Stopped), (signal.SIGINT, KeyboardInterrupt)]
)
@pytest.mark.usefixtures("own_handler")
def test_one_process_stops_only_between_steps(make: Make, number: int, ends: type) -> None:
    stop, trainer = StopTogether(), make(1)
    trainer.accumulate_grad_batches = 4
    stop.on_train_start(trainer, MODULE)
    os.kill(os.getpid(), number)
    stop.on_train_batch_start(trainer, MODULE, None, 3)  # gradients of three batches are waiting
    with pytest.raises(Stopped) as caught:
        stop.on_train_batch_start(trainer, MODULE, None, 4)
    assert caught.value.number == number
    if ends is KeyboardInterrupt:  # Ctrl-C again does not wait
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)


@pytest.mark.usefixtures("own_handler")
def test_other_verbs_keep_the_handlers_that_are_there(make: Make) -> None:
    before = signal.getsignal(signal.SIGTERM)
    trainer = make(1)
    trainer.state.fn = TrainerFn.VALIDATING
    StopTogether().on_sanity_check_start(trainer, MODULE)
    assert signal.getsignal(signal.SIGTERM) is before
