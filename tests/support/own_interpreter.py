"""Code that exports networks, in an interpreter of its own."""

import os
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def run_apart(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs code with the folder as its argument: jaxtyping's hook disturbs torch's export here."""
    paths = os.pathsep.join(map(str, (_ROOT, _ROOT / "tests" / "unit" / "deploy")))
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert done.returncode == 0, done.stderr
    return done
