"""What happens beside the steps: averaged weights, checkpoints, the finished network."""

import re
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import (
    Callback,
    Checkpoint,
    ModelCheckpoint,
    RichProgressBar,
    WeightAveraging,
)
from pytorch_lightning.utilities import rank_zero_info
from pytorch_lightning.utilities.exceptions import SIGTERMException
from torch import Tensor

from amesh.nn.config import NAMED
from amesh.training.checkpoint import read
from amesh.training.module import LandmarkTraining, network_of
from amesh.training.origin import refused_terms
from amesh.training.tracking import Tracker
from amesh.version import __version__
from amesh.weights import store

# The average forgets faster in the beginning: after n steps it looks back over about n / 10.
_HEAD_START = 10


class Averaging(WeightAveraging):
    """A moving average of the weights; what is validated, and what a checkpoint's weights are.

    In a checkpoint `state_dict` is the average, which is the network to use; the weights to train
    on from are in `current_model_state`.
    """

    def __init__(self, decay: float = 0.999) -> None:
        """Keeps an average.

        Args:
            decay: Share of the average that a step leaves; 0 averages nothing.
        """
        super().__init__(use_buffers=False, multi_avg_fn=self._average)
        self.decay = decay
        self._swapped = False

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Puts the average in place."""
        super().on_validation_epoch_start(trainer, pl_module)
        self._swapped = self._average_model is not None

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
        """Goes on with the average; outside training the checkpoint's weights are all there is."""
        if self._average_model is not None:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Puts the average where the weights are looked for."""
        if self._average_model is not None:
            super().on_save_checkpoint(trainer, pl_module, checkpoint)

    def _average(
        self,
        averages: tuple[Tensor, ...] | list[Tensor],
        current: tuple[Tensor, ...] | list[Tensor],
        count: Tensor | int,
    ) -> None:
        # The step as Python counts it: the average's own counter would have to be fetched from
        # the device.
        steps = self._latest_update_step
        decay = min(self.decay, (1 + steps) / (_HEAD_START + steps))
        torch._foreach_lerp_(list(averages), list(current), 1 - decay)


class LastCheckpoint(Checkpoint):
    """Keeps `last.ckpt`, to go on from after whatever happens.

    It is written every so many steps, at the end of each epoch, and when SIGTERM asks training to
    stop (at the end of the step under way).
    """

    def __init__(self, every_n_steps: int = 500, folder: str | None = None) -> None:
        """Saves nothing yet.

        Args:
            every_n_steps: A crash loses at most so many steps.
            folder: Where it goes; the run's own folder of logs by default.
        """
        if every_n_steps < 1:
            raise ValueError(f"every_n_steps is {every_n_steps}, expected 1 or more")
        self.every_n_steps, self.folder = every_n_steps, folder
        self._saved_at = -1

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Saves every so many steps."""
        if trainer.global_step % self.every_n_steps == 0:
            self._save(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Saves after each epoch."""
        self._saved_at = -1  # the step may be saved already, but not that its epoch is over
        self._save(trainer)

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Saves when asked to stop. After an error the state may be halfway through a step."""
        if isinstance(exception, SIGTERMException) and trainer.state.fn == "fit":
            self._save(trainer)

    def _save(self, trainer: pl.Trainer) -> None:
        if is_trial(trainer) or trainer.global_step in (0, self._saved_at):
            return
        path = run_folder(trainer, self.folder) / "last.ckpt"
        trainer.save_checkpoint(path)
        self._saved_at = trainer.global_step
        rank_zero_info(f"saved {path}")


class SaveNetwork(Callback):
    """Writes the trained network as a weights file: what `run`, `evaluate` and `export` take."""

    def __init__(self, name: str = "network") -> None:
        """Names the file.

        Args:
            name: The file's name, without its ending, in the run's folder of checkpoints.
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
        refused = refused_terms(origin)
        if refused:
            rank_zero_info(f"not to be released: trained under these terms: {', '.join(refused)}")


def network_name(config_name: str, folder: Path, loggers: Sequence[object]) -> str:
    """What to call the network that a run trained, so that nobody takes it for what it began as.

    The name in its configuration, unless that is only a family member's; then the run's in W&B, or
    else the member's and that of the run's folder: `released-192-version_3`.

    Args:
        config_name: The name in the configuration.
        folder: The run's checkpoints.
        loggers: Of the run.
    """
    if config_name not in NAMED:
        return config_name
    given = (one.run_name for one in loggers if isinstance(one, Tracker))
    run = next((name for name in given if name), None)
    name = run or f"{config_name}-{folder.parent.name or 'trained'}"
    return re.sub(r"[^\w.-]+", "-", name)


class BestCheckpoint(ModelCheckpoint):
    """Keeps `best.ckpt`: the one with the smallest error on validation data."""

    def __init__(self, monitor: str = "val/nme", save_top_k: int = 1) -> None:
        """Watches an error.

        Args:
            monitor: Its name in the log.
            save_top_k: How many of the best are kept; 0 for none.
        """
        super().__init__(
            monitor=monitor,
            save_top_k=save_top_k,
            mode="min",
            filename="best",
            save_on_train_epoch_end=False,
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on with the smallest error so far, also where the resumed run has another folder.

        Where the checkpoint that had it is gone, it has to be beaten by one that can be kept.
        """
        if Path(state_dict["best_model_path"]).is_file():
            state_dict = {**state_dict, "dirpath": self.dirpath}
        super().load_state_dict(state_dict)


def run_folder(trainer: pl.Trainer, folder: str | None) -> Path:
    """Where this run's checkpoints go."""
    # log_dir is agreed on between the ranks: every one of them has to ask for it.
    return Path(folder) if folder else Path(trainer.log_dir or ".") / "checkpoints"


def is_trial(trainer: pl.Trainer) -> bool:
    """Whether this is `--trainer.fast_dev_run`, which leaves nothing behind."""
    return bool(getattr(trainer, "fast_dev_run", False))


class Progress(RichProgressBar):
    """Lightning's, without a number of epochs where steps end the training."""

    def _get_train_description(self, current_epoch: int) -> str:
        # Lightning counts without end as -1 and would show that as -2.
        text: str = super()._get_train_description(current_epoch)
        return text.replace("/-2", "")


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
