"""What all tests share. Heavy imports stay inside the fixtures that need them."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
import torch

# The same examples on every run, so that a failure is always of the change at hand; no deadline,
# because the first call of a torch function is slow.
hypothesis.settings.register_profile("amesh", derandomize=True, deadline=None)
hypothesis.settings.load_profile("amesh")

# A shell makes what it starts in the background deaf to Ctrl-C, and tests press it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same random numbers for every test, in whatever order they run; on one thread.

    The networks are small: on a busy machine more threads wait for each other.
    """
    torch.manual_seed(0)
    torch.set_num_threads(1)


@pytest.fixture
def astronaut() -> np.ndarray:
    """A real face: NASA's portrait of Eileen Collins, public domain; (512, 512, 3) uint8 RGB."""
    from skimage import data

    return data.astronaut()


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder with nothing in it."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("AMESH_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def released() -> Any:
    """The released network from the cache; its tests carry the marker `weights`."""
    from amesh.weights import store

    return store.load("released-192")


@pytest.fixture
def run_python(tmp_path: Path) -> Callable[[str], str]:
    """Runs code in an interpreter of its own and returns what it prints.

    For what the jaxtyping hook would disturb (`torch.compile`, strict export) and for what has to
    be seen from a fresh start (which modules an import brings along).
    """

    def run(code: str) -> str:
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
