"""Kills `amesh fit` at many moments and checks that each resumed run ends as an undisturbed one.

Moments are the end of each epoch and random times; signals go to the whole process group, as from
`timeout`, a terminal or a service manager. Each run is a fork of this process, which has imported
everything: a run takes a second or two.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch
from drawn_faces import write_faces
from training_runs import CONFIG, assert_same, data, last

STEPS = 8
# Each number of workers, each accumulation and each kind of validation comes at least once.
CASES = {
    "validated": [],
    "validated, worker": ["--data.workers=1"],
    "not validated": ["--trainer.limit_val_batches=0"],
    "every second epoch, worker": ["--trainer.check_val_every_n_epoch=2", "--data.workers=1"],
    "within epochs": ["--trainer.check_val_every_n_epoch=null", "--trainer.val_check_interval=4"],
    "accumulated": ["--trainer.accumulate_grad_batches=4"],
    "accumulated, not validated, worker": [
        *("--trainer.accumulate_grad_batches=4", "--trainer.limit_val_batches=0"),
        "--data.workers=1",
    ],
}
_SETTINGS = ("--trainer.max_epochs=-1", f"--trainer.max_steps={STEPS}", "--last.every_n_steps=2")


def fork(root: Path, words: list[str]) -> int:
    """Starts `amesh fit` in a process group of its own; its output goes to a file.

    Returns:
        The process's number.
    """
    from amesh.training.cli import main

    root.mkdir(parents=True, exist_ok=True)
    if number := os.fork():
        return number
    os.setsid()
    output = os.open(root / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    code = 1
    try:
        torch.set_num_threads(1)
        code = main(["fit", "--config", CONFIG, "--trainer.default_root_dir", str(root), *words])
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def finish(number: int) -> int:
    """Waits for the end of a run; below 0 if a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


def newest(root: Path, name: str = "last.ckpt") -> Path | None:
    """The newest file of a name under a folder."""
    found = sorted(root.rglob(name), key=lambda path: path.stat().st_mtime_ns)
    return found[-1] if found else None


def compare(whole: Path, root: Path) -> None:
    """Compares the last checkpoints and the written networks of two runs, bit by bit."""
    from amesh.weights import store

    checkpoints, networks = [], []
    for one in (whole, root):
        # A run that was killed after its last step is resumed only to write its network.
        checkpoint, network = newest(one), newest(one, "network.safetensors")
        assert checkpoint is not None, f"{one}: no last.ckpt"
        assert network is not None, f"{one}: no network"
        checkpoints.append(last(checkpoint.parents[1]))
        networks.append(store.load(network).state_dict())
    ours, theirs = checkpoints
    assert ours["global_step"] == theirs["global_step"] == STEPS
    assert_same(ours, theirs)
    for name, tensor in networks[0].items():
        assert torch.equal(tensor, networks[1][name]), f"network {name}"
    curves = [newest(one, "metrics.csv") for one in (whole, root)]
    first, second = (path.read_text() for path in curves if path is not None)
    assert first == second, "the curves differ"


def kill_and_resume(
    root: Path, words: list[str], number: int, seconds: float | None, epoch: int
) -> str:
    """Kills a run, after some seconds or at the start of an epoch, and lets another finish it.

    Returns:
        What became of it: `resumed`, `anew` or `finished` before the signal came.
    """
    if seconds is None:
        callback = "--trainer.callbacks+=training_callbacks.KillGroupAt"
        options = [f"--trainer.callbacks.epoch={epoch}", f"--trainer.callbacks.signal={number}"]
        run = fork(root, [*words, callback, *options])
    else:
        run = fork(root, words)
        time.sleep(seconds)
        with suppress(ProcessLookupError):
            os.killpg(run, number)
    code = finish(run)
    if code == 0:
        return "finished"
    said = (root / "output.txt").read_text()
    assert code in (-number, 128 + number), f"ended with {code}: {said[-2000:]}"
    assert "Traceback" not in said, said[-2000:]
    checkpoint = newest(root)
    if code == 128 + number:  # it could still speak
        assert (f"--ckpt_path={checkpoint}" if checkpoint else "nothing to resume from") in said
    code = finish(fork(root, [*words, *([f"--ckpt_path={checkpoint}"] if checkpoint else [])]))
    assert code == 0, (root / "output.txt").read_text()[-2000:]
    if checkpoint is None:
        return "anew"
    left = [path.name for path in root.rglob(".*")]
    assert newest(root) == checkpoint, "it went on in another folder"
    assert not left, f"the kill left {left}"
    return "resumed"


def check(
    folder: Path,
    cases: dict[str, list[str]],
    moments: int,
    seed: int,
    say: Callable[[str], None] = lambda line: None,
) -> Counter[str]:
    """Kills runs at the end of each epoch and at random moments, in turn over the cases.

    Args:
        folder: For the faces and the runs.
        cases: Arguments by name.
        moments: How many random ones.
        seed: Of the moments and signals.
        say: Is told of each.

    Returns:
        How many were resumed, started anew, or had finished before the signal.
    """
    faces = data(write_faces(folder / "faces", 12, negatives=4))
    chance, outcomes, wholes = random.Random(seed), Counter[str](), {}
    for name, case in cases.items():
        words = [*faces, *_SETTINGS, "--averaging.decay=0.9", *case]
        root = folder / f"whole {len(wholes)}"
        began = time.monotonic()
        assert finish(fork(root, words)) == 0, (root / "output.txt").read_text()[-2000:]
        wholes[name] = (root, words, time.monotonic() - began)
    # An epoch has 6 batches: 6 steps, or 2 where gradients of 4 are accumulated.
    plan: list[tuple[str, float | None, int]] = [
        (name, None, epoch)
        for name in cases
        for epoch in range(1, 4 if "accumulated" in name else 2)
    ]
    for number in range(moments):
        name = list(cases)[number % len(cases)]
        plan.append((name, chance.uniform(0.1, 1.0) * wholes[name][2], 0))
    for number, (name, seconds, epoch) in enumerate(plan):
        sent = chance.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGINT))
        root, words, _ = wholes[name]
        when = f"epoch {epoch}" if seconds is None else f"{seconds:.2f} s"
        killed = folder / f"killed {number}"
        outcome = kill_and_resume(killed, words, sent, seconds, epoch)
        try:
            compare(root, killed)
        except AssertionError as error:
            raise AssertionError(f"{name}, {sent.name} at {when}: {error}") from error
        outcomes[outcome] += 1
        say(f"{name}, {sent.name} at {when}: {outcome}, equal")
    return outcomes


def main() -> None:
    """Reads the arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    parser.add_argument("--moments", type=int, default=20, help="random moments")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", action="append", choices=CASES, help="only this one")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cases = {name: CASES[name] for name in args.case or CASES}
        outcomes = check(Path(folder), cases, args.moments, args.seed, say=print)
    print(", ".join(f"{count} {outcome}" for outcome, count in outcomes.items()))


if __name__ == "__main__":
    main()
