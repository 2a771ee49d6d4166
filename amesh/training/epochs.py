"""The epoch that decides which batches come and how they are changed."""

from typing import Any


def data_epoch(trainer: Any) -> int:
    """The trainer's epoch; always 0 under `trainer.overfit_batches`, which repeats its batches."""
    repeated = getattr(trainer, "overfit_batches", 0)
    return 0 if repeated else int(trainer.current_epoch)
