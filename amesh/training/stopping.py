"""Stopping of several processes at once."""

import signal
import threading
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback


class StopTogether(Callback):
    """Lets all processes of a training stop after the same step when SIGTERM asks any of them to.

    Lightning tells the others from inside the signal's handler, by a broadcast. Where the signal
    comes while a step's own collectives are under way the processes answer different ones, and wait
    for each other for ever. Here the handler only takes a note, and the note goes round after each
    step.
    """

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self.asked = False

    def on_sanity_check_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Takes the place of Lightning's handler, which was set just before."""
        self._listen(trainer)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The same where nothing is validated first; Lightning brings the old handlers back."""
        self._listen(trainer)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Asks round; Lightning stops at the end of a step where its flag is up."""
        if trainer.world_size == 1:
            return
        asked = torch.tensor(float(self.asked), device=trainer.strategy.root_device)
        if float(trainer.strategy.reduce(asked, reduce_op="sum")) > 0:
            trainer._signal_connector.received_sigterm = True

    def _listen(self, trainer: pl.Trainer) -> None:
        if trainer.world_size > 1 and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = True
