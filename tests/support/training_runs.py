"""Runs `amesh fit` with the smallest network, and reads the results."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import torch

SUPPORT = Path(__file__).resolve().parent
CONFIG = str(SUPPORT / "smallest.yaml")


# One rank. A thread of gloo's that is left when Python ends may abort the process.
RANK = """
import pathlib, sys
from amesh.training.cli import main
code = main(sys.argv[1:])
names = [path.read_text().strip() for path in pathlib.Path("/proc/self/task").glob("*/comm")]
left = [name for name in names if "gloo" in name]
sys.exit(f"left behind: {left}" if left else code)
"""


def data(folder: Path) -> list[str]:
    return [f"--data.{split}=[{{path: {folder}}}]" for split in ("train", "val")]


def fit(root: Path, *options: str, verb: str = "fit", code: int = 0) -> Path:
    """Runs a verb in this process and returns the folder of the run."""
    from amesh.training.cli import main

    torch.set_num_threads(1)
    words = [verb, "--config", CONFIG, "--trainer.default_root_dir", str(root)]
    assert main([*words, *options]) == code
    return root / "logs" / "version_0"


def start(
    folder: Path, *options: str, ranks: int = 1, verb: str = "fit"
) -> subprocess.CompletedProcess[str]:
    """Runs a verb in separate processes, one per rank."""
    code = "import sys; from amesh.training.cli import main; sys.exit(main(sys.argv[1:]))"
    words = [verb, "--config", CONFIG, "--trainer.default_root_dir", str(folder), *options]
    command = [sys.executable, "-c", code, *words]
    if ranks > 1:
        script = folder / "train.py"
        folder.mkdir(parents=True)
        script.write_text(RANK)
        launcher = ["torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
        command = [sys.executable, "-m", *launcher, str(script), *words]
    paths = [str(SUPPORT), str(SUPPORT.parents[1])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=folder.parent
    )


def logged(run: Path, column: str) -> dict[int, float]:
    """The values in a column of the CSV log, by step."""
    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {int(row["step"]): float(row[column]) for row in rows if row.get(column)}


def last(run: Path) -> dict:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)


def assert_same(one: dict, other: dict) -> None:
    """Compares weights, their average and the optimiser's state bit for bit."""
    for key in ("state_dict", "current_model_state"):
        assert one[key].keys() == other[key].keys()
        for name, tensor in one[key].items():
            assert torch.equal(tensor, other[key][name]), f"{key} {name}"
    first, second = (c["optimizer_states"][0]["state"] for c in (one, other))
    for number, state in first.items():
        assert torch.equal(state["exp_avg_sq"], second[number]["exp_avg_sq"])
