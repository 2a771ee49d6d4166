"""Where in the data training is, and how Lightning's loops go on from there exactly.

The place lies between two optimiser steps: an epoch, and the number of its batches that are done.
`FaceData` keeps it in a checkpoint. Lightning infers it from its counters instead, and infers
something else wherever `max_steps` is set: it enters a finished epoch again. So the place decides,
and the counters follow.
"""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from amesh.training.lightning import check_known, go_on

_PENDING = "amesh_validation_pending"


def between_steps(trainer: pl.Trainer, batch_idx: int) -> bool:
    """Whether no gradients are waiting for others when a batch begins.

    Args:
        trainer: Of the run.
        batch_idx: Number of the batch in its epoch.
    """
    return batch_idx % trainer.accumulate_grad_batches == 0


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
        """Goes on there.

        Raises:
            UserError: This version of Lightning is not known to work.
        """
        check_known(trainer)
        if self._place is not None:
            go_on(trainer, *self._place, self._pending)
        self._place, self._pending = None, False
