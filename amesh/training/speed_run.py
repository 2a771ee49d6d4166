"""`amesh benchmark --training`: shipped configurations, timed as they train."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.utilities import move_data_to_device
from pytorch_lightning import Trainer

from amesh.data.loading.sample import Batch
from amesh.training.cli import TrainingCLI, quieten
from amesh.training.memory import keep_memory
from amesh.training.speed import measure, write


def benchmark(configs: Sequence[str], shards: Path, output: Path, rounds: int) -> int:
    """Times the step, the data and both for each configuration, on faces from shards.

    Args:
        configs: Names or files; a fragment joins the whole before it with `+`:
            `paper+model/tiny_128`.
        shards: Faces that `amesh label` or `amesh synth` wrote.
        output: Folder of the table.
        rounds: How often each is measured; medians count.

    Returns:
        0.

    Raises:
        UserError: A configuration that is not there, or no faces.
    """
    quieten()
    keep_memory()
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    found = []
    for config in configs:
        arguments = [f"--config={name}" for name in config.split("+")]
        arguments += [f"--data.train={shards}", "--data.synthetic.faces=0"]
        arguments += ["--data.synthetic.val=0", "--trainer.logger=false"]
        found.append(_timed(arguments, rounds))
        write(found, output)
    print((output / "training.md").read_text())
    return 0


def _timed(arguments: list[str], rounds: int) -> Any:
    built = TrainingCLI("fit", arguments)
    trainer: Trainer = built.trainer
    module, data = built.model, built.datamodule
    device = trainer.strategy.root_device
    # What Trainer.fit would do before the first batch.
    data.trainer = trainer
    trainer.strategy.connect(module)
    trainer.training = True
    data.setup("fit")

    def prepare(loaded: Any) -> Batch:
        batch: Batch = data.on_after_batch_transfer(move_data_to_device(loaded, device), 0)
        return batch

    with torch.enable_grad():
        return measure(module, data.train_dataloader(), prepare, device, rounds)
