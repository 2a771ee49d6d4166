"""Checkpoints and exports as artifacts of a W&B run."""

import warnings
from collections.abc import Sequence
from pathlib import Path

from amesh.errors import UserError
from amesh.training.checkpoint import read
from amesh.training.origin import check_release
from amesh.training.tracking import Tracker

_KINDS = {".ckpt": "checkpoint", ".safetensors": "network"}
_EXPORT = "export"


def upload(
    files: Sequence[Path], project: str, run: str | None, save_dir: Path, release: bool = False
) -> int:
    """Keeps files.

    Args:
        files: What to keep; all are checked before the first is sent.
        project: The W&B project.
        run: Its run; by default the one that a checkpoint among the files names, else a new one.
        save_dir: For W&B's own files.
        release: Whether the files get the alias `release`, which networks only get if everything
            that they were trained on allows it.

    Returns:
        0 when all are sent, or recorded to be sent later; 1 when W&B failed after some, 2 when it
        failed at once.

    Raises:
        UserError: A file is missing, is no checkpoint although it is called one, or may not be
            released; or W&B is switched off.
    """
    for path in files:
        if not path.is_file():
            raise UserError(f"{path}: no such file to upload")
        if release:
            check_release(path)
    checkpoints = [read(path) for path in files if path.suffix == ".ckpt"]
    named = [held.get("amesh", {}).get("wandb") for held in checkpoints]
    tracker = Tracker(
        project=project, id=run or next(filter(None, named), None), save_dir=str(save_dir)
    )
    if tracker.disabled:
        raise UserError("nothing uploaded: WANDB_MODE=disabled switches W&B off; unset it")
    kept = 0
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for path in files:
            tracker.log_file(path, _KINDS.get(path.suffix, _EXPORT), release)
            kept += not tracker.failed
        tracker.finalize("success")
    for warning in caught:
        if str(warning.message).startswith("W&B"):
            print(str(warning.message).replace("; training goes on without it", ""))
    if tracker.failed:
        print(f"{kept} of {len(files)} files handed to W&B before it failed")
        return 1 if kept else 2
    where = "recorded offline for" if tracker.offline else "uploaded to"
    print(f"{len(files)} files {where} run {tracker.run_id} of {project}")
    if tracker.offline:
        print(f"nothing has left this machine; `wandb sync {save_dir}/wandb/offline-*` sends them")
    return 0
