"""Everything that amesh uses of Lightning beyond its public interface, in one place.

Lightning may change these names in any release: pyproject.toml admits only versions that are known
to have them, and `check_known` says which one is gone where another version is installed.
"""

from importlib.metadata import version
from operator import attrgetter

import pytorch_lightning as pl
from pytorch_lightning.loops import evaluation_loop, fit_loop, training_epoch_loop

from amesh.errors import UserError

KNOWN_TO_WORK = ">=2.6.6,<2.7"  # the versions of pytorch-lightning, as in pyproject.toml
# As seen from a trainer. Some have public names, but no documentation that promises them.
NEEDED = (
    "_signal_connector.received_sigterm",
    "fit_loop._data_fetcher",
    "fit_loop._restart_stage",
    "fit_loop._restarting",
    "fit_loop.epoch_progress",
    "fit_loop.restarted_mid_epoch",
    "fit_loop.epoch_loop._batches_that_stepped",
    "fit_loop.epoch_loop._restart_stage",
    "fit_loop.epoch_loop._restarting",
    "fit_loop.epoch_loop.batch_progress",
    "fit_loop.epoch_loop._should_check_val_fx",
    "fit_loop.epoch_loop.val_loop._restart_stage",
    "fit_loop.epoch_loop.val_loop._restarting",
)


def check_known(trainer: pl.Trainer) -> None:
    """Makes sure that the private names are there: setting one that is gone would do nothing.

    Raises:
        UserError: Some are gone.
    """
    gone = []
    for name in NEEDED:
        try:
            attrgetter(name)(trainer)
        except AttributeError:
            gone.append(name)
    if gone:
        found = version("pytorch-lightning")
        raise UserError(
            f"pytorch-lightning {found} has no {', '.join(gone)}, which amesh needs for stopping "
            f"and resuming; install pytorch-lightning{KNOWN_TO_WORK}"
        )


def forget_sigterm(trainer: pl.Trainer) -> None:
    """Takes over a request to stop that came before our own handler was in place."""
    trainer._signal_connector.received_sigterm = False


def place(trainer: pl.Trainer) -> tuple[int, int]:
    """The epoch to train on next, and how many of its batches are done.

    It holds between two optimiser steps, at the end of an epoch, and during validation.
    """
    epoch = trainer.current_epoch
    done = trainer.fit_loop.epoch_loop.batch_progress.current.processed  # type: ignore[attr-defined]
    return (epoch + 1, 0) if done >= trainer.num_training_batches else (epoch, done)


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
