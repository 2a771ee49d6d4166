"""A data module without a trainer, and its batches."""

from pathlib import Path
from types import SimpleNamespace

import torch

from amesh.nn.config import NAMED
from amesh.training.data_module import FaceData


def prepared(
    rank: int = 0, world: int = 1, folder: Path | None = None, overfit: float = 0, **settings
) -> FaceData:
    """Prepares a data module for fitting; without a run folder, nothing is written."""
    data = FaceData(**{"workers": 0, "batch_size": 4} | settings)
    data.trainer = SimpleNamespace(
        lightning_module=SimpleNamespace(network=NAMED["tiny-128"]),
        state=SimpleNamespace(fn="fit"),
        log_dir=str(folder),
        is_global_zero=rank == 0,
        global_rank=rank,
        world_size=world,
        training=True,
        current_epoch=0,
        overfit_batches=overfit,
        fast_dev_run=folder is None,
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
    )
    data.setup("fit")
    return data


def batches(data: FaceData, loader) -> list:
    return [data.on_after_batch_transfer(loaded, 0) for loaded in loader]
