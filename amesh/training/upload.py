"""Checkpoints and exports as artifacts of a W&B run."""

import warnings
from collections.abc import Sequence
from pathlib import Path

from amesh.errors import UserError
from amesh.training.checkpoint import read
from amesh.training.tracking import Tracker

_KINDS = {".ckpt": "checkpoint", ".safetensors": "network"}
_EXPORT = "export"


def upload(files: Sequence[Path], project: str, run: str | None, save_dir: Path) -> int:
    """Keeps files.

    Args:
        files: What to keep; all are checked before the first is sent.
        project: The W&B project.
        run: Its run; by default the one that a checkpoint among the files names, else a new one.
        save_dir: For W&B's own files.

    Returns:
        0 when all are kept, 1 when W&B failed.

    Raises:
        UserError: A file is missing, or is no checkpoint although it is called one.
    """
    for path in files:
        if not path.is_file():
            raise UserError(f"{path}: no such file to upload")
    checkpoints = [read(path) for path in files if path.suffix == ".ckpt"]
    named = [held.get("amesh", {}).get("wandb") for held in checkpoints]
    tracker = Tracker(
        project=project, id=run or next(filter(None, named), None), save_dir=str(save_dir)
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for path in files:
            tracker.log_file(path, _KINDS.get(path.suffix, _EXPORT))
        tracker.finalize("success")
    for warning in caught:
        if str(warning.message).startswith("W&B"):
            print(warning.message)
    if tracker.failed:
        return 1
    where = "recorded offline for" if tracker.offline else "uploaded to"
    print(f"{len(files)} files {where} run {tracker.run_id} of {project}")
    return 0
