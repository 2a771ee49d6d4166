"""Damages files of every kind and reads them: `python check.py [--files 150] [KIND ...]`.

A damaged file may be refused, in one line, or be read where its kind has no checksum. It may not
end in a traceback or a crash, take more than ten seconds or a gigabyte, or pass with a wrong
checksum. Each kind runs in a process of its own, which is started again after a crash.
"""

import argparse
import os
import resource
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from kinds import Kind

SECONDS, MEMORY = 10.0, 1 << 30
GOOD = ("refused", "read", "unchanged")
OUTCOMES = (*GOOD, "wrong", "traceback", "memory", "slow", "crash")


def main() -> int:
    """Prints a table of kinds and outcomes, and then what went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND")
    parser.add_argument("--files", type=int, default=150, help="damaged files of each kind")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        work(options.kinds[0], Path.cwd(), options.worker, options.files)
        return 0
    from kinds import KINDS

    print(f"{'kind':<26}" + "".join(f"{name:>11}" for name in OUTCOMES))
    details: list[str] = []
    for kind in options.kinds or KINDS:
        counts, notes = examine(kind, options.files)
        print(f"{kind:<26}" + "".join(f"{counts[name]:>11}" for name in OUTCOMES), flush=True)
        details += [f"{kind}: {note}" for note in notes]
    for line in details:
        print(line)
    return 1 if details else 0


def examine(kind: str, files: int) -> tuple[Counter[str], list[str]]:
    """Outcomes of a kind, and a line about each bad one."""
    counts: Counter[str] = Counter()
    notes: list[str] = []
    with tempfile.TemporaryDirectory(prefix="damage-") as folder:
        while counts.total() < files:
            for outcome, note in _run(kind, Path(folder), counts.total(), files):
                counts[outcome] += 1
                if outcome not in GOOD:
                    notes.append(f"file {counts.total() - 1}: {outcome}: {note}")
    return counts, notes


def _run(kind: str, folder: Path, first: int, files: int) -> list[tuple[str, str]]:
    """Outcomes of one worker, up to its crash; the first line that it prints only says: ready."""
    command = [sys.executable, __file__, kind, "--worker", str(first), "--files", str(files)]
    env = {**os.environ, "MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1"}
    found: list[tuple[str, str]] = []
    with (
        (folder / "stderr").open("wb") as stderr,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=stderr, cwd=folder, env=env
        ) as worker,
        selectors.DefaultSelector() as waiting,
    ):
        assert worker.stdout is not None
        waiting.register(worker.stdout, selectors.EVENT_READ)
        ready = False
        while first + len(found) < files:
            if not waiting.select(3 * SECONDS if ready else 120):
                worker.kill()
                found.append(("slow", "killed"))
                break
            line = worker.stdout.readline().decode()
            if not line:
                if not ready:
                    raise SystemExit((folder / "stderr").read_text())
                found.append(("crash", f"exit code {worker.wait()}"))
                break
            if ready:
                outcome, _, note = line.strip().partition(" ")
                found.append((outcome, note))
            ready = True
    return found


def work(name: str, folder: Path, first: int, files: int) -> None:
    """Reads the files from the `first` on, and prints an outcome for each."""
    import torch
    from kinds import KINDS

    torch.set_num_threads(1)
    kind = KINDS[name]
    good = folder / "good"
    shutil.rmtree(good, ignore_errors=True)  # an earlier worker may have left it damaged
    good.mkdir()
    target = kind.make(good)
    content = target.read_bytes()
    expected = kind.read(target)
    say = os.fdopen(os.dup(1), "w")  # libraries print, too
    os.dup2(2, 1)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    print("ready", file=say, flush=True)
    for number in range(first, files):
        damaged = kind.damage(content, np.random.default_rng([number, len(name)]))
        target.write_bytes(damaged)
        start = time.monotonic()
        outcome = _outcome(kind, target, expected)
        if time.monotonic() - start > SECONDS and outcome[0] in GOOD:
            outcome = ("slow", f"{time.monotonic() - start:.0f} s")
        print(*outcome, file=say, flush=True)


def _outcome(kind: "Kind", target: Path, expected: object) -> tuple[str, str]:
    from amesh.errors import UserError

    try:
        found = kind.read(target)
    except UserError as error:
        text = str(error)
        return ("traceback", f"several lines: {text!r}") if "\n" in text else ("refused", "")
    except MemoryError:
        return "memory", traceback.format_exc().splitlines()[-3].strip()
    except BaseException as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        last = [f for f in traceback.extract_tb(error.__traceback__) if "amesh/" in f.filename]
        ours = last[-1] if last else place
        text = " ".join(str(error).split())[:150]
        return "traceback", f"{type(error).__name__} in {ours.filename}:{ours.lineno}: {text}"
    if found == expected:
        return "unchanged", ""
    return ("wrong", "read as another") if kind.checked else ("read", "")


if __name__ == "__main__":
    sys.exit(main())
