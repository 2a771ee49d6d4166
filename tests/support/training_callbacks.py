"""Callbacks that disturb or observe training."""

import os
from typing import Any

import pytorch_lightning as pl
import torch


class KillAt(pl.Callback):
    """Sends this process a signal after `step` steps, like a scheduler or a crash.

    With several processes, only `rank` gets it.
    """

    def __init__(self, step: int, signal: int, rank: int = 0) -> None:
        self.step, self.signal, self.rank = step, signal, rank

    def on_train_batch_end(self, trainer: pl.Trainer, *rest: Any) -> None:
        if trainer.global_step == self.step and trainer.global_rank == self.rank:
            os.kill(os.getpid(), self.signal)


class SpoilAt(pl.Callback):
    """Moves all weights far away before a step, so that every later validation is worse."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: pl.LightningModule, *_: Any
    ) -> None:
        if trainer.global_step == self.step:
            with torch.no_grad():
                for parameter in module.parameters():
                    parameter.add_(0.3 * torch.randn_like(parameter))


class NotePictures(pl.Callback):
    """Logs the sum of each training batch's pictures, to tell batches apart."""

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, number: int
    ) -> None:
        module.log("train/pictures", batch.image.double().sum().float())


class KillGroupAt(pl.Callback):
    """Sends the whole process group a signal at the start of an epoch, after all of the last."""

    def __init__(self, epoch: int, signal: int) -> None:
        self.epoch, self.signal = epoch, signal

    def on_train_epoch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.current_epoch == self.epoch:
            os.killpg(0, self.signal)
