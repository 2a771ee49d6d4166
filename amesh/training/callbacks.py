"""What happens around the steps: averaged weights, checkpoints, the finished network."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import (
    Callback,
    Checkpoint,
    RichProgressBar,
    WeightAveraging,
)
from pytorch_lightning.utilities import rank_zero_info
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from amesh.files import remove_leftovers
from amesh.nn.config import NAMED
from amesh.nn.plain_config import PlainConfig
from amesh.training.best import BestCheckpoint
from amesh.training.checkpoint import read
from amesh.training.module import LandmarkTraining, network_of
from amesh.training.resuming import between_steps
from amesh.training.run_log import RunLog
from amesh.training.stopping import Stopped
from amesh.training.tracking import Tracker
from amesh.version import __version__
from amesh.weights import store

# The average forgets faster in the beginning: after n steps it looks back over about n / 10.
_HEAD_START = 10


class Averaging(WeightAveraging):
    """A moving average of the weights: what is validated, and what a checkpoint holds as weights.

    In a checkpoint `state_dict` is the average, which is the network to use; the weights to train
    on from are in `current_model_state`.
    """

    def __init__(self, decay: float = 0.999) -> None:
        """Keeps an average.

        Args:
            decay: Share of the average that each step keeps; 0 means no averaging.
        """
        super().__init__(use_buffers=False, multi_avg_fn=self._average)
        self.decay = decay
        self._averages = self._swapped = False
        self._step = 0

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Makes the average, which only training has."""
        super().setup(trainer, pl_module, stage)
        self._averages = stage == "fit"

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        """After every step."""
        if step_idx is not None:
            self._step = step_idx
        return step_idx is not None

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Puts the average in place."""
        super().on_validation_epoch_start(trainer, pl_module)
        self._swapped = self._averages

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Puts the weights back."""
        super().on_validation_epoch_end(trainer, pl_module)
        self._swapped = False

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Puts the weights back where validation was cut short, before anyone saves them."""
        if self._swapped:
            self.on_validation_epoch_end(trainer, pl_module)

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Resumes the average; outside training the checkpoint's weights are all there is."""
        if self._averages:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Saves the average as the checkpoint's weights."""
        if self._averages:
            super().on_save_checkpoint(trainer, pl_module, checkpoint)

    def _average(
        self,
        averages: tuple[Tensor, ...] | list[Tensor],
        current: tuple[Tensor, ...] | list[Tensor],
        count: Tensor | int,
    ) -> None:
        # The step as Python counts it: the average's own counter would have to be fetched from
        # the device.
        decay = min(self.decay, (1 + self._step) / (_HEAD_START + self._step))
        get_ema_multi_avg_fn(decay)(averages, current, count)


class LastCheckpoint(Checkpoint):
    """Keeps `last.ckpt`, to resume from after an interruption.

    It is written every `every_n_steps` steps, at the end of each epoch, and when training is asked
    to stop: always between two optimiser steps, and after the validation that belongs to the first.
    """

    def __init__(self, every_n_steps: int = 500, folder: str | None = None) -> None:
        """Saves nothing yet.

        Args:
            every_n_steps: Steps between checkpoints: at most so many are lost in a crash.
            folder: Folder for it; by default, that of the run's logs.
        """
        if every_n_steps < 1:
            raise ValueError(f"every_n_steps is {every_n_steps}, expected 1 or more")
        self.every_n_steps, self.folder = every_n_steps, folder
        self.path: Path | None = None  # the checkpoint to resume from
        self._saved_at = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Removes what a killed run left behind; until a step is done nothing is new."""
        self._saved_at = trainer.global_step
        self.path = Path(trainer.ckpt_path) if trainer.ckpt_path else None
        own = run_folder(trainer, None)
        if trainer.is_global_zero and not is_trial(trainer):
            remove_leftovers(own)
            remove_leftovers(Path(self.folder or own), "last.ckpt")
        for logger in trainer.loggers:
            if self.path and isinstance(logger, RunLog):
                logger.cut(trainer.global_step)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Saves after every `every_n_steps` steps, when all that belongs to a step is done."""
        due = trainer.global_step % self.every_n_steps == 0
        if due and between_steps(trainer, batch_idx):
            self._save(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Saves after each epoch."""
        self._save(trainer)

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Saves when asked to stop. After an error the state may be halfway through a step."""
        if isinstance(exception, Stopped) and trainer.state.fn == "fit":
            self._save(trainer)

    def _save(self, trainer: pl.Trainer) -> None:
        if is_trial(trainer) or trainer.global_step == self._saved_at:
            return
        path = run_folder(trainer, self.folder) / "last.ckpt"
        for logger in trainer.loggers:
            logger.save()  # so that the log of a killed run reaches up to its checkpoint
        trainer.save_checkpoint(path)
        self._saved_at, self.path = trainer.global_step, path
        rank_zero_info(f"saved {path}")


class SaveNetwork(Callback):
    """Writes the trained network as a weights file for `run`, `evaluate` and `export`."""

    def __init__(self, name: str = "network") -> None:
        """Names the file.

        Args:
            name: Name of the file in the run's folder of checkpoints, without its suffix.
        """
        self.name = name

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Writes the best network, or the last where none was validated."""
        folder = run_folder(trainer, None)
        if is_trial(trainer) or not trainer.is_global_zero:
            return
        if not isinstance(pl_module, LandmarkTraining):
            raise TypeError(f"{type(pl_module).__name__} holds no landmark network")
        # LastCheckpoint is one of Lightning's checkpoint callbacks, too, and comes before it.
        found = (one for one in trainer.checkpoint_callbacks if isinstance(one, BestCheckpoint))
        best = Path(getattr(next(found, None), "best_model_path", ""))
        validated = best.is_file()
        net = network_of(best) if validated else pl_module.net
        steps = read(best)["global_step"] if validated else trainer.global_step
        origin = {
            "source": f"amesh fit, {pl_module.architecture} {pl_module.network.name}",
            "version": __version__,
            "steps": steps,
            "checkpoint": best.name if validated else "the last step",
            "licences": pl_module.licences,
            **({"warm_start": pl_module.started_from} if pl_module.started_from else {}),
        }
        path = folder / f"{self.name}.safetensors"
        store.save(
            net, path, origin, name=network_name(pl_module.network.name, folder, trainer.loggers)
        )
        rank_zero_info(f"wrote {path}")
        if pl_module.licences:
            rank_zero_info(f"licences of the training pictures: {', '.join(pl_module.licences)}")


def network_name(config_name: str, folder: Path, loggers: Sequence[object]) -> str:
    """What to call the network that a run trained, so that nobody takes it for what it began as.

    The name in its configuration, unless that is only a family member's; then the run's in W&B, or
    else the member's and that of the run's folder: `released-192-version_3`.

    Args:
        config_name: The name in the configuration.
        folder: The run's checkpoints.
        loggers: Of the run.
    """
    if config_name not in (*NAMED, PlainConfig.name):
        return config_name
    given = (one.run_name for one in loggers if isinstance(one, Tracker))
    run = next((name for name in given if name), None)
    name = run or f"{config_name}-{folder.parent.name or 'trained'}"
    return re.sub(r"[^\w.-]+", "-", name)


def run_folder(trainer: pl.Trainer, folder: str | None) -> Path:
    """Where this run's checkpoints go."""
    # log_dir is agreed on between the ranks: every one of them has to ask for it.
    return Path(folder) if folder else Path(trainer.log_dir or ".") / "checkpoints"


def is_trial(trainer: pl.Trainer) -> bool:
    """Whether this is `--trainer.fast_dev_run`, which leaves nothing behind."""
    return bool(getattr(trainer, "fast_dev_run", False))


class Progress(RichProgressBar):
    """Lightning's, without a number of epochs if training is limited by steps."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Also begins the bar of an epoch that goes on in the middle; Lightning would not."""
        super().on_train_start(trainer, pl_module)
        if trainer.fit_loop.restarted_mid_epoch:
            self.on_train_epoch_start(trainer, pl_module)

    def configure_columns(self, trainer: pl.Trainer) -> list[Any]:
        """Takes the place of the description's column."""
        from rich.progress import ProgressColumn, Task
        from rich.text import Text

        class Description(ProgressColumn):
            def render(self, task: Task) -> Text:
                # Lightning counts epochs without limit as -1, and shows that as -2.
                return Text.from_markup(
                    f"[progress.description]{task.description.replace('/-2', '')}"
                )

        return [Description(), *super().configure_columns(trainer)[1:]]

    @property
    def sanity_check_description(self) -> str:
        """What is measured before the first step; Lightning only checks that it runs."""
        return "Start"
