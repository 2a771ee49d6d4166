"""Where and when something was timed, for the heads of reports."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from amesh.version import __version__


def about() -> dict[str, str]:
    """Processor, system, version of amesh and today's date."""
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores visible",
        "system": platform.platform(terse=True),
        "amesh": f"{__version__}, commit {_commit()}",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()
