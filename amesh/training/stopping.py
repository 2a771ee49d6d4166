"""Stopping when asked to: between two optimiser steps, and in all processes of a training alike."""

import signal
import threading
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.utilities.exceptions import SIGTERMException

from amesh.training.lightning import forget_sigterm
from amesh.training.resuming import between_steps

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopped(SIGTERMException):
    """Training was asked to stop, by SIGTERM or by Ctrl-C."""

    def __init__(self, number: int = signal.SIGTERM) -> None:
        """Remembers by which signal."""
        super().__init__()
        self.number = number


class StopTogether(Callback):
    """Stops all processes of a training at the same step when a signal asks any of them to.

    Lightning stops after any batch, also where gradients are still being accumulated. And it tells
    other processes from inside the signal's handler, by a broadcast: if the signal arrives while a
    step's own collectives are under way, the processes answer different ones and wait for each
    other for ever. Here the handler only takes a note, the processes exchange their notes after
    each batch, and all of them stop before the next step, or before validation. Ctrl-C does the
    same; pressed again, it stops at once.
    """

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self.asked = self.agreed = 0  # the number of the signal

    def on_sanity_check_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Replaces Lightning's handler, which was set just before."""
        self._listen(trainer)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The same if nothing is validated first; Lightning restores the old handlers."""
        self._listen(trainer)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Asks all processes whether one of them was asked to stop."""
        if trainer.world_size > 1:
            asked = torch.tensor(float(self.asked > 0), device=trainer.strategy.root_device)
            if float(trainer.strategy.reduce(asked, reduce_op="sum")) > 0:
                self.agreed = self.asked or signal.SIGTERM

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Stops before the next step.

        Raises:
            Stopped: All processes stop.
        """
        if between_steps(trainer, batch_idx):
            self._stop(trainer)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stops before validation, which may take longer than a cluster waits.

        After the last step there is nothing to resume: then validation is finished.

        Raises:
            Stopped: All processes stop.
        """
        if not 0 < trainer.max_steps <= trainer.global_step:
            self._stop(trainer)

    def _stop(self, trainer: pl.Trainer) -> None:
        agreed = self.asked if trainer.world_size == 1 else self.agreed
        if agreed:
            raise Stopped(agreed)

    def _listen(self, trainer: pl.Trainer) -> None:
        if trainer.state.fn != "fit" or threading.current_thread() is not threading.main_thread():
            return
        if trainer.received_sigterm:  # just before we began to listen
            self.asked = signal.SIGTERM
            forget_sigterm(trainer)
        for number in _SIGNALS:
            signal.signal(number, self._ask)

    def _ask(self, number: int, _: object) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = number


def ignore_signals() -> None:
    """Leaves stopping to the main process, in a worker that reads data for it.

    A terminal, `timeout` and service managers send their signal to all processes of a group: a
    worker that dies of it takes the main process along before that could save anything.
    """
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
