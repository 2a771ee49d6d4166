"""One training of an ablation: runs `amesh fit` while holding a lock on its folder.

If `amesh ablate` is killed, its trainings continue; the lock keeps others out of their folders.

    python -m amesh.ablation.training fit --trainer.default_root_dir=FOLDER ...
"""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from amesh.errors import UserError
from amesh.files import locked

FOLDER = "--trainer.default_root_dir="


def run(arguments: Sequence[str], fit: Callable[[Sequence[str]], int]) -> int:
    """Runs one training under a lock.

    Args:
        arguments: Arguments of `amesh`, including the folder of the training.
        fit: Runs the training.

    Returns:
        What `fit` returns; 2 if another process trains in the folder.
    """
    if os.environ.get("LOCAL_RANK", "0") != "0":  # started by the process that holds the lock
        return fit(arguments)
    folder = next(Path(one.removeprefix(FOLDER)) for one in arguments if one.startswith(FOLDER))
    try:
        with locked(folder / ".lock", f"{folder}: another process trains here; wait for it"):
            return fit(arguments)
    except UserError as error:
        print(f"amesh: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    from amesh.training.cli import main

    sys.exit(run(sys.argv[1:], main))
