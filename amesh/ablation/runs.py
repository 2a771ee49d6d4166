"""Runs the trainings of an ablation as processes, in parallel if asked, and resumes them.

The folder of a training is `RUNS/VARIANT/seed-N`, and its log is `log.txt`. Lightning writes each
attempt to its own `logs/version_N`: config.yaml with all settings, and in `checkpoints`,
`last.ckpt` during training and `network.safetensors` at the end.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from amesh.ablation.training import FOLDER
from amesh.errors import UserError
from amesh.files import as_user_error, locked

FIT = (sys.executable, "-m", "amesh.ablation.training", "fit")
# Interval between checks whether a training has ended, and time limit for it to save [s].
_LOOK, _PATIENCE = 0.2, 120.0


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        variant: Name of the variant.
        seed: Random seed.
        arguments: Arguments of `amesh fit`.
        settings: All settings that result from them.
        folder: Output folder.
    """

    variant: str
    seed: int
    arguments: tuple[str, ...]
    settings: Mapping[str, Any]
    folder: Path


def network(job: Job) -> Path | None:
    """Returns the trained network, or None if the training is not finished.

    Raises:
        UserError: The folder contains a training with other settings.
    """
    return _newest(job, "network.safetensors")


def train(
    jobs: Sequence[Job],
    parallel: int,
    runs: Path,
    program: Sequence[str] = FIT,
    say: Callable[[str], None] = print,
) -> None:
    """Runs the trainings that are not finished; resumes stopped ones from their last checkpoint.

    If it ends early for any reason, it stops the running trainings, which save a checkpoint.

    Args:
        jobs: Trainings, in order.
        parallel: Number of trainings at a time. Each gets an equal share of the cores, but at most
            OMP_NUM_THREADS threads.
        runs: The folder of all trainings, used by one call at a time.
        program: The training program, without its arguments.
        say: Receives a message at each start and end.

    Raises:
        UserError: A folder contains another training, or a training failed.
    """
    done = [network(job) for job in jobs]  # refuses folders of other trainings at once
    if None not in done:
        return
    running: dict[subprocess.Popen[bytes], tuple[Job, float]] = {}
    taken = (
        f"{runs}: another `amesh ablate` is training there; wait for it, or evaluate the "
        "finished networks with --score-only"
    )
    with locked(runs / ".lock", taken):
        waiting = deque(job for job in jobs if network(job) is None)
        ended, total = 0, len(waiting)
        try:
            while waiting or running:
                while waiting and len(running) < parallel:
                    job = waiting.popleft()
                    checkpoint = _newest(job, "last.ckpt")
                    threads = _cores() // (parallel * _processes(job))
                    process = _start(job, checkpoint, threads, program)
                    running[process] = (job, time.monotonic())
                    say(f"{_title(job)}: {'resumes' if checkpoint else 'starts'}")
                time.sleep(_LOOK)
                for process in [one for one in running if one.poll() is not None]:
                    job, since = running.pop(process)
                    if process.returncode:
                        _kill(process)
                    _check(job, process.returncode)
                    ended += 1
                    minutes = (time.monotonic() - since) / 60
                    say(f"{_title(job)}: done in {minutes:.1f} minutes ({ended} of {total})")
        finally:
            _stop({process: _title(job) for process, (job, _) in running.items()}, say)


def _newest(job: Job, name: str) -> Path | None:
    """Returns a file of the newest attempt that has one, or None.

    Raises:
        UserError: An attempt was trained with other settings.
    """
    found = None
    logs = job.folder / "logs"
    versions = [path for path in logs.glob("version_*") if path.name[8:].isdigit()]
    for version in sorted(versions, key=lambda path: int(path.name[8:])):
        checkpoints = version / "checkpoints"
        if not checkpoints.is_dir():  # it ended before it saved anything
            continue
        for key, (ours, theirs) in differences(job.settings, _settings(version)).items():
            raise UserError(
                f"{job.folder}: trained with {key} {theirs}, now it is {ours}; "
                "remove that folder, or choose another with --runs"
            )
        if (checkpoints / name).is_file():
            found = checkpoints / name
    return found


def _settings(version: Path) -> dict[str, Any]:
    path = version / "config.yaml"
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        found = None
    if not isinstance(found, dict):
        raise UserError(f"{path}: does not state how this was trained; remove {version}")
    return found


def _start(
    job: Job, checkpoint: Path | None, threads: int, program: Sequence[str]
) -> subprocess.Popen[bytes]:
    arguments = [*program, *job.arguments, f"{FOLDER}{job.folder}"]
    arguments += ["--trainer.enable_progress_bar=false"]
    arguments += [f"--ckpt_path={checkpoint}"] if checkpoint else []
    own = os.environ.get("OMP_NUM_THREADS", "")
    threads = max(1, min(threads, int(own) if own.isdecimal() else threads))
    log = job.folder / "log.txt"
    with as_user_error(log):
        job.folder.mkdir(parents=True, exist_ok=True)
        file = log.open("ab")
    with file:
        return subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=os.environ | {"OMP_NUM_THREADS": str(threads)},
            start_new_session=True,  # keeps Ctrl-C from it: SIGTERM makes a training save
        )


def _check(job: Job, code: int) -> None:
    if code == 0 and network(job) is not None:
        return
    log = job.folder / "log.txt"
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    last = next((line for line in reversed(lines) if line), "no output")
    what = "left no network.safetensors" if code == 0 else f"failed with {code}"
    raise UserError(f"{_title(job)}: {what}: {last.removeprefix('amesh: ')} ({log})")


def _stop(running: Mapping[subprocess.Popen[bytes], str], say: Callable[[str], None]) -> None:
    """Lets trainings save and end, and kills those that take too long."""
    for process in running:
        process.terminate()
    end = time.monotonic() + _PATIENCE
    try:
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, end - time.monotonic()))
    finally:  # also after a second Ctrl-C
        stuck = [title for process, title in running.items() if process.poll() is None]
        for process in running:
            _kill(process)
        for title in stuck:
            say(f"{title}: did not stop and was killed; it resumes from its last checkpoint")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kills a training and its child processes, which may outlive it."""
    if sys.platform == "win32":
        process.kill()
    else:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _cores() -> int:
    """Returns the number of cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processes(job: Job) -> int:
    """Returns the number of processes of one training."""
    devices = job.settings["trainer"].get("devices")
    return devices if isinstance(devices, int) and devices > 0 else 1


def _title(job: Job) -> str:
    return f"{job.variant}, seed {job.seed}"


# Settings that do not affect the network. Resuming adds the run's id to those of a logger.
_FREE = ("trainer.default_root_dir", "trainer.enable_progress_bar", "trainer.logger", "ckpt_path")


def differences(wanted: Mapping[str, Any], held: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Compares the settings of two trainings: name to the wanted and the held value.

    Settings that only one of them has come from another version of amesh and are ignored.
    """
    ours, theirs = _flat(wanted), _flat(held)
    # A resumed training takes its weights from the checkpoint, whatever its warm start.
    free = (*_FREE, *(("model.warm_start",) if theirs.get("ckpt_path") else ()))
    return {
        key: (ours[key], theirs[key])
        for key in ours
        if key in theirs and not key.startswith(free) and ours[key] != theirs[key]
    }


def _flat(settings: Any, name: str = "") -> dict[str, Any]:
    if not isinstance(settings, Mapping) or not settings:
        return {name: settings}
    parts = [_flat(value, f"{name}.{key}".lstrip(".")) for key, value in settings.items()]
    return {key: value for part in parts for key, value in part.items()}
