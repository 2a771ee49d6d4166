"""The best network of a run by its error on validation data, the one that it starts from included.

Training can make a network worse, above all on few faces. What it started from is therefore
validated before the first step, and stays the best until a later network has a smaller error.
"""

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.utilities import rank_zero_info

from amesh.errors import UserError

_log = logging.getLogger("pytorch_lightning.amesh")
Figures = Mapping[str, float]
# How far the face flag may drift unmentioned: share of right answers that it loses, and share of
# its mean logit on faces by which that moves. Trained on faces alone, it calls ever more background
# a face while it stays right for every face; there only its logit shows that.
_LESS_ACCURATE, _MOVED = 0.02, 0.1


class BestCheckpoint(ModelCheckpoint):
    """Keeps `best.ckpt`: the one with the smallest error on validation data."""

    def __init__(self, monitor: str = "val/nme", save_top_k: int = 1) -> None:
        """Watches an error.

        Args:
            monitor: Name of the error in the log.
            save_top_k: Number of best checkpoints to keep; 0 keeps none.
        """
        super().__init__(
            monitor=monitor,
            save_top_k=save_top_k,
            mode="min",
            filename="best",
            save_on_train_epoch_end=False,
            # A file that a killed run left is written again: best.ckpt is the best, not best-v1.
            enable_version_counter=save_top_k != 1,
        )
        self.watched = monitor
        # What validation measured before the first step, at the best step and at the last one.
        self.start: dict[str, float] = {}
        self.best: dict[str, float] = {}
        self.last: dict[str, float] = {}

    def on_sanity_check_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keeps the network that training starts from, if all validation data were measured."""
        measured, all_of_it = trainer.num_sanity_val_batches, trainer.num_val_batches
        if measured != all_of_it or not sum(all_of_it):
            return
        self._note(trainer)
        self.start = self.best = self.last
        for logger in trainer.loggers:
            logger.log_metrics({**self.start, "epoch": 0.0}, step=0)
        self._save_topk_checkpoint(trainer, self._monitor_candidates(trainer))

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keeps this network if none before had a smaller error."""
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        self._note(trainer)
        best = self.best.get(self.watched, math.nan)
        if math.isnan(best) or self.last[self.watched] < best:
            self.best = self.last
        super().on_validation_end(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Says what training was worth."""
        super().on_train_end(trainer, pl_module)
        if self.start and self.best and self.last.get("step", 0) > self.start["step"]:
            rank_zero_info(verdict(self.watched, self.start, self.best, self.last))
            drift = flag_drift(self.start, self.best)
            tuned = getattr(pl_module, "started_from", None) is not None
            if drift and tuned and trainer.is_global_zero:
                _log.warning(drift)

    def state_dict(self) -> dict[str, Any]:
        """Adds what the error was at the start and at its best."""
        return {**super().state_dict(), "start": self.start, "best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on with the smallest error so far, also where the resumed run has another folder.

        Where the checkpoint that had it is gone, it has to be beaten by one that can be kept.
        """
        best = state_dict["best_model_path"]
        if not best or Path(best).is_file():
            state_dict = {**state_dict, "dirpath": self.dirpath}
            self.best = state_dict.get("best", {})
        self.start = state_dict.get("start", {})
        super().load_state_dict(state_dict)

    def _note(self, trainer: pl.Trainer) -> None:
        """Takes down what validation measured.

        Raises:
            UserError: The error to watch is not among it.
        """
        figures = {
            name: float(value)
            for name, value in trainer.callback_metrics.items()
            if name.startswith("val/")
        }
        if self.watched not in figures:
            raise UserError(
                f"validation does not measure {self.watched}: its data have no landmarks for it, "
                f"or best.monitor is none of {', '.join(figures)}"
            )
        self.last = {**figures, "step": float(trainer.global_step)}


def verdict(watched: str, start: Figures, best: Figures, last: Figures) -> str:
    """One line on what training was worth on validation data.

    Args:
        watched: The error that decides.
        start: What was measured before the first step.
        best: The same at the step with the smallest error, named `step`.
        last: The same after the last step.
    """
    began = f"{watched} started at {start[watched]:.3f}"
    if best["step"] == start["step"]:
        return (
            f"{began} and never got better (at the end {last[watched]:.3f}): the network that is "
            "kept is the one that training started from"
        )
    return f"{began}, best at {best[watched]:.3f} after {best['step']:.0f} steps"


def flag_drift(start: Figures, best: Figures) -> str | None:
    """A warning if the face flag of the network that is kept is no longer that of the start.

    Args:
        start: What was measured before the first step.
        best: The same for the network that is kept.
    """
    accuracy, logit = "val/face_accuracy", "val/face_logit"
    if not {accuracy, logit} <= start.keys() & best.keys():
        return None
    right, before = best[accuracy], start[accuracy]
    mean, moved = best[logit], abs(best[logit] - start[logit])
    if right < before - _LESS_ACCURATE:
        text = f"right for {right:.1%} of the validation data (start: {before:.1%})"
    elif moved > _MOVED * abs(start[logit]):
        text = f"{mean:.1f} for faces on average (start: {start[logit]:.1f})"
    else:
        return None
    return (
        f"the face flag has drifted: it is {text}. Measure how much background it now takes for "
        "faces (`amesh negatives`, `amesh evaluate`), and train with such regions, or at a lower "
        "learning rate"
    )
