"""A few of the moments at which `nox -s kills` ends training; all resumed runs end alike."""

import os
import subprocess
import sys
from pathlib import Path

import kills
import pytest

pytest.importorskip("pytorch_lightning")


@pytest.mark.slow
def test_killed_runs_end_as_undisturbed_ones(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", kills.__file__, "--moments", "2"]
    # A process of its own: it forks, which threads of this one would not survive.
    done = subprocess.run(
        [*command, "--case", "validated, worker", "--case", "accumulated"],
        capture_output=True,
        text=True,
        env=os.environ
        | {
            "PYTHONPATH": os.pathsep.join(
                [str(Path(kills.__file__).parent), str(Path(__file__).parents[2])]
            ),
            "OMP_NUM_THREADS": "1",
            "TMPDIR": str(tmp_path),
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # The end of one epoch, of three with gradients accumulated, and two random moments.
    assert done.stdout.count(", equal") == 6
    assert "resumed" in done.stdout.splitlines()[-1]
