"""Where in the data training is, and how Lightning's loops go on from there exactly.

The place lies between two optimiser steps: an epoch, and the number of its batches that are done.
`FaceData` keeps it in a checkpoint. Lightning infers it from its counters instead, and infers
something else wherever `max_steps` is set: it enters a finished epoch again. So the place decides,
and the counters follow.
"""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loops import evaluation_loop, fit_loop, training_epoch_loop

_PENDING = "amesh_validation_pending"


def place(trainer: pl.Trainer) -> tuple[int, int]:
    """The epoch to train on next, and how many of its batches are done.

    It holds between two optimiser steps, at the end of an epoch, and during validation.
    """
    epoch = trainer.current_epoch
    done = trainer.fit_loop.epoch_loop.batch_progress.current.processed  # type: ignore[attr-defined]
    return (epoch + 1, 0) if done >= trainer.num_training_batches else (epoch, done)


def between_steps(trainer: pl.Trainer, batch_idx: int) -> bool:
    """Whether no gradients are waiting for others when a batch begins.

    Args:
        trainer: Of the run.
        batch_idx: Number of the batch in its epoch.
    """
    return batch_idx % trainer.accumulate_grad_batches == 0


def go_on(trainer: pl.Trainer, epoch: int, done: int, pending: bool) -> None:
    """Sets Lightning's counters so that training continues at a place.

    It has to be called when training starts, after Lightning has interpreted its own counters.

    Args:
        trainer: Of the run.
        epoch: To train on next.
        done: Batches of it that are done.
        pending: Whether the last batch before this place still has to be validated.
    """
    fit, batches = trainer.fit_loop, trainer.fit_loop.epoch_loop
    whole = int(trainer.num_training_batches)
    if pending and not done:
        epoch, done = epoch - 1, whole
    inside = done > 0
    for counter in (fit.epoch_progress.total, fit.epoch_progress.current):
        counter.processed = counter.completed = epoch  # type: ignore[attr-defined]
        counter.ready = counter.started = epoch + inside  # type: ignore[attr-defined]
    progress = batches.batch_progress
    trained = progress.total.processed  # type: ignore[attr-defined]
    for counter, number in ((progress.total, trained), (progress.current, done)):
        counter.ready = counter.started = number  # type: ignore[attr-defined]
        counter.processed = counter.completed = number  # type: ignore[attr-defined]
    progress.is_last_batch = done >= whole
    batches.val_loop.batch_progress.reset()
    for loop in (fit, batches):
        loop._restarting = inside
    batches.val_loop._restarting = False
    of_fit, of_batches = fit_loop.RestartStage, training_epoch_loop.RestartStage
    of_validation = evaluation_loop.RestartStage
    fit._restart_stage = of_fit.RESTARTED_MID_EPOCH if inside else of_fit.NONE
    batches._restart_stage = of_batches.RESTARTED_ON_LAST if inside else of_batches.NONE
    batches.val_loop._restart_stage = (
        of_validation.RESTARTED_MID_EVALUATION if pending else of_validation.NONE
    )
    # Where validation belongs to the last batch, Lightning passes that batch once more, to validate
    # or to skip that, and counts its step again.
    fetcher = fit._data_fetcher
    repeats = inside and fetcher is not None and batches._should_check_val_fx(fetcher)
    batches._batches_that_stepped = trainer.global_step - repeats


class ExactResume(Callback):
    """Continues where the data of a checkpoint is."""

    def __init__(self) -> None:
        """Nothing to resume yet."""
        self._place: tuple[int, int] | None = None
        self._pending = False

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Notes that validation was cut short, before the checkpoint is saved."""
        self._pending = trainer.validating

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Says whether validation is still to come."""
        checkpoint[_PENDING] = self._pending

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Reads the place that the data was at."""
        data: Any = getattr(trainer, "datamodule", None)
        state = checkpoint.get(type(data).__qualname__)
        if state:
            self._place = state["epoch"], state["done"]
            self._pending = bool(checkpoint.get(_PENDING))

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Goes on there."""
        if self._place is not None:
            go_on(trainer, *self._place, self._pending)
        self._place, self._pending = None, False
