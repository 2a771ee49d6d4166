"""Trainings of an ablation, a small program in the place of `amesh fit`."""

import os
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from amesh.ablation import runs
from amesh.ablation.runs import Job, differences, network, train
from amesh.errors import UserError
from amesh.files import locked

# Trains for no time at all; notes what it was called with, and does what its words say.
PROGRAM = """
import os, signal, sys, time
from pathlib import Path

words = dict(word.removeprefix("--").partition("=")[::2] for word in sys.argv[1:])
root = Path(words["trainer.default_root_dir"])
notes = root.parents[1] / "notes.txt"

def note(what):
    with notes.open("a") as file:
        file.write(f"{what} {root.parent.name} {root.name}\\n")

version = root / "logs" / f"version_{len(list(root.glob('logs/version_*')))}"
(version / "checkpoints").mkdir(parents=True)
checkpoint = words.get("ckpt_path")
(version / "config.yaml").write_text(
    f"model: {{size: {words['size']}, warm_start: {'null' if checkpoint else 'w'}}}\\n"
    f"trainer: {{default_root_dir: {root}}}\\nckpt_path: {checkpoint or 'null'}\\n"
)

def stop(*_):
    (version / "checkpoints" / "last.ckpt").touch()
    note("stopped")
    sys.exit(143)

signal.signal(signal.SIGTERM, stop)
note("start")
print("OMP_NUM_THREADS", os.environ["OMP_NUM_THREADS"], "from", checkpoint, flush=True)
if "together" in words:  # until as many others are under way
    while notes.read_text().count("start") < int(words["together"]):
        time.sleep(0.01)
if "wait" in words and not checkpoint:  # until it is stopped
    while True:
        signal.pause()
if "fail" in words:
    print("amesh: no shards here", file=sys.stderr)
    sys.exit(2)
if "silent" not in words:
    (version / "checkpoints" / "network.safetensors").touch()
note("end")
"""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "_LOOK", 0.01)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


@pytest.fixture
def program(tmp_path: Path) -> list[str]:
    path = tmp_path / "fit.py"
    path.write_text(PROGRAM)
    return [sys.executable, str(path)]


def _job(runs: Path, variant: str, seed: int = 0, *words: str, size: int = 1) -> Job:
    settings: dict[str, Any] = {
        "model": {"size": size, "warm_start": "w"},
        "trainer": {"default_root_dir": None},
        "ckpt_path": None,
    }
    return Job(variant, seed, (f"--size={size}", *words), settings, runs / variant / f"seed-{seed}")


def _notes(runs: Path) -> list[str]:
    return (runs / "notes.txt").read_text().splitlines()


def _quiet(_: str) -> None:
    pass


def test_trainings_run_in_order(tmp_path: Path, program: Sequence[str]) -> None:
    jobs = [_job(tmp_path, name, seed) for seed in (0, 1) for name in "ab"]
    said: list[str] = []
    train(jobs, 1, tmp_path, program, said.append)
    whole = [f"{what} {job.variant} seed-{job.seed}" for job in jobs for what in ("start", "end")]
    assert _notes(tmp_path) == whole
    assert said[:2] == ["a, seed 0: starts", "a, seed 0: done in 0.0 minutes (1 of 4)"]
    assert network(jobs[3]) == tmp_path.joinpath(
        "b", "seed-1", "logs", "version_0", "checkpoints", "network.safetensors"
    )


def test_no_more_than_asked_for_run_at_a_time(
    tmp_path: Path, program: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "_cores", lambda: 5)
    first = [_job(tmp_path, name, 0, "--together=2") for name in "ab"]  # they wait for each other
    train([*first, *(_job(tmp_path, name) for name in "cdef")], 2, tmp_path, program, _quiet)
    under_way = 0
    for line in _notes(tmp_path):
        under_way += 1 if line.startswith("start") else -1
        assert 0 <= under_way <= 2
    assert "OMP_NUM_THREADS 2 " in (tmp_path / "f" / "seed-0" / "log.txt").read_text()


def test_more_jobs_than_cores_get_one_thread_each(
    tmp_path: Path, program: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "_cores", lambda: 1)
    train([_job(tmp_path, "a")], 4, tmp_path, program, _quiet)
    assert "OMP_NUM_THREADS 1 " in (tmp_path / "a" / "seed-0" / "log.txt").read_text()


def test_processes_of_one_training_share_its_cores(
    tmp_path: Path, program: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "_cores", lambda: 12)
    job = _job(tmp_path, "a")
    trainer = {**job.settings["trainer"], "devices": 2}
    train([replace(job, settings={**job.settings, "trainer": trainer})], 2, tmp_path, program)
    assert "OMP_NUM_THREADS 3 " in (tmp_path / "a" / "seed-0" / "log.txt").read_text()


def test_a_user_who_asks_for_fewer_threads_gets_them(
    tmp_path: Path, program: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "_cores", lambda: 12)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    train([_job(tmp_path, "a")], 2, tmp_path, program)
    assert "OMP_NUM_THREADS 1 " in (tmp_path / "a" / "seed-0" / "log.txt").read_text()


@pytest.mark.parametrize("fails", [True, False])
def test_no_process_of_a_failed_training_remains(
    tmp_path: Path, program: Sequence[str], fails: bool
) -> None:
    """A training of several processes dies with its first one, before that has told the others."""
    gate, question = tmp_path / "gate", tmp_path / "question"
    os.mkfifo(gate)
    os.mkfifo(question)
    # The child holds the gate open; a child that is left answers the question.
    child = f"g = open({str(gate)!r}, 'w'); open({str(question)!r}).read(1); g.write('alive')"
    code = f"import signal, subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}])\n"
    code += "sys.exit('died')" if fails else "signal.pause()"

    def interrupt(line: str) -> None:
        opened.wait()  # the child is there
        if not fails:
            raise KeyboardInterrupt

    opened = threading.Event()
    answers: list[str] = []

    def read() -> None:
        with gate.open() as file:
            opened.set()
            answers.append(file.read())

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    with question.open("r+b", buffering=0) as asked:
        with pytest.raises(UserError if fails else KeyboardInterrupt):
            train([_job(tmp_path, "a")], 1, tmp_path, [sys.executable, "-c", code], interrupt)
        asked.write(b"?")
        reader.join()
    assert answers == [""]


def test_finished_trainings_are_not_repeated(tmp_path: Path, program: Sequence[str]) -> None:
    train([_job(tmp_path, "a")], 1, tmp_path, program, _quiet)
    train([_job(tmp_path, "a"), _job(tmp_path, "a", 1)], 1, tmp_path, program, _quiet)
    assert _notes(tmp_path) == ["start a seed-0", "end a seed-0", "start a seed-1", "end a seed-1"]
    # Nothing to do takes no lock: the table of what is done can be written meanwhile.
    with locked(tmp_path / ".lock"):
        train([_job(tmp_path, "a")], 1, tmp_path, program, _quiet)


def test_a_stopped_training_resumes_from_its_checkpoint(
    tmp_path: Path, program: Sequence[str]
) -> None:
    jobs = [_job(tmp_path, "a", 0, "--wait"), _job(tmp_path, "b", 0, "--wait")]

    def interrupt(line: str) -> None:
        if line.startswith("b"):
            while len(_notes(tmp_path) if (tmp_path / "notes.txt").exists() else []) < 2:
                time.sleep(0.01)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(jobs, 2, tmp_path, program, interrupt)
    # Both were asked to stop, saved, and are gone when the call is.
    assert sorted(_notes(tmp_path)[2:]) == ["stopped a seed-0", "stopped b seed-0"]

    said: list[str] = []
    train(jobs, 1, tmp_path, program, said.append)
    assert said[0] == "a, seed 0: resumes"
    checkpoint = tmp_path.joinpath("a", "seed-0", "logs", "version_0", "checkpoints", "last.ckpt")
    assert f" from {checkpoint}" in (tmp_path / "a" / "seed-0" / "log.txt").read_text()
    found = network(jobs[0])
    assert found is not None
    assert found.parents[1].name == "version_1"


def test_a_training_that_ignores_sigterm_is_killed(
    tmp_path: Path, program: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "_PATIENCE", 0.1)
    path = tmp_path / "deaf.py"
    path.write_text(PROGRAM.replace("signal.SIGTERM, stop", "signal.SIGTERM, signal.SIG_IGN"))

    def interrupt(_: str) -> None:
        while not (tmp_path / "notes.txt").exists():
            time.sleep(0.01)
        raise KeyboardInterrupt

    job = _job(tmp_path, "a", 0, "--wait")
    with pytest.raises(KeyboardInterrupt):
        train([job], 1, tmp_path, [sys.executable, str(path)], interrupt)
    assert _notes(tmp_path) == ["start a seed-0"]  # it neither stopped nor ended
    train([_job(tmp_path, "b")], 1, tmp_path, program, _quiet)  # nobody holds the lock


def test_a_failure_reports_the_last_line_and_stops_the_others(
    tmp_path: Path, program: Sequence[str]
) -> None:
    jobs = [_job(tmp_path, "a", 0, "--wait"), _job(tmp_path, "b", 0, "--together=2", "--fail")]
    never = _job(tmp_path, "c")
    with pytest.raises(UserError, match=r"^b, seed 0: .*no shards here"):
        train([*jobs, never], 2, tmp_path, program, _quiet)
    assert sorted(_notes(tmp_path)) == ["start a seed-0", "start b seed-0", "stopped a seed-0"]


def test_a_training_that_leaves_no_network_has_failed(
    tmp_path: Path, program: Sequence[str]
) -> None:
    with pytest.raises(UserError, match=r"a, seed 0: .*network\.safetensors"):
        train([_job(tmp_path, "a", 0, "--silent")], 1, tmp_path, program, _quiet)


@pytest.mark.parametrize("done", [True, False])
def test_other_settings_in_the_same_folder_are_refused(
    done: bool, tmp_path: Path, program: Sequence[str]
) -> None:
    train([_job(tmp_path, "a")], 1, tmp_path, program, _quiet)
    if not done:
        found = network(_job(tmp_path, "a"))
        assert found is not None
        found.rename(found.with_name("last.ckpt"))
    changed = _job(tmp_path, "a", size=2)
    expected = r"a/seed-0: trained with model.size 1, now it is 2; remove that folder, or .*--runs"
    with pytest.raises(UserError, match=expected):
        train([changed], 1, tmp_path, program, _quiet)
    with pytest.raises(UserError, match=expected):
        network(changed)
    assert len(_notes(tmp_path)) == 2


def test_an_attempt_that_saved_nothing_is_ignored(tmp_path: Path, program: Sequence[str]) -> None:
    version = tmp_path.joinpath("a", "seed-0", "logs", "version_0")
    version.mkdir(parents=True)
    (version / "config.yaml").write_text("model: {size: 7")  # cut off
    train([_job(tmp_path, "a")], 1, tmp_path, program, _quiet)
    (version / "checkpoints").mkdir()
    with pytest.raises(UserError, match=r"version_0.config\.yaml: "):
        network(_job(tmp_path, "a"))


def test_the_tenth_attempt_is_newer_than_the_second(tmp_path: Path) -> None:
    job = _job(tmp_path, "a")
    for number in (2, 10):
        version = job.folder / "logs" / f"version_{number}"
        (version / "checkpoints").mkdir(parents=True)
        (version / "checkpoints" / "network.safetensors").touch()
        (version / "config.yaml").write_text(yaml.safe_dump(dict(job.settings)))
    found = network(job)
    assert found is not None
    assert found.parents[1].name == "version_10"


def test_one_call_at_a_time_trains_in_a_folder(tmp_path: Path, program: Sequence[str]) -> None:
    refused: list[str] = []

    def second(_: str) -> None:
        if not refused:
            with pytest.raises(UserError, match=r"another `amesh ablate`.*--score"):
                train([_job(tmp_path, "b")], 1, tmp_path, program, refused.append)
            refused.append("yes")

    train([_job(tmp_path, "a")], 1, tmp_path, program, second)
    assert refused == ["yes"]
    train([_job(tmp_path, "b")], 1, tmp_path, program, _quiet)


def test_the_loggers_name_does_not_change_the_training() -> None:
    ours = {"trainer": {"logger": {"class_path": "WandbLogger", "init_args": {"id": None}}}}
    held = {"trainer": {"logger": {"class_path": "WandbLogger", "init_args": {"id": "abc"}}}}
    assert not differences(ours, held)
    assert not differences({"trainer": {"logger": [ours]}}, {"trainer": {"logger": [held]}})


def test_settings_of_another_version_are_ignored() -> None:
    ours = {"model": {"size": 1, "new": True}, "data": {"train": [{"path": "a"}]}, "seed": 0}
    held = {"model": {"size": 1, "old": 3}, "data": {"train": [{"path": "b"}]}, "seed": 0}
    found = differences(ours, held)
    assert found == {"data.train": ([{"path": "a"}], [{"path": "b"}])}


def test_location_and_display_do_not_change_the_training() -> None:
    ours = {"trainer": {"default_root_dir": None, "enable_progress_bar": None}, "ckpt_path": None}
    held = {"trainer": {"default_root_dir": "a", "enable_progress_bar": False}, "ckpt_path": "b"}
    assert not differences(ours, held)
    started = {"model": {"warm_start": "released-192"}}
    assert differences(started, {"model": {"warm_start": None}})
    assert not differences(started, {"model": {"warm_start": None}, "ckpt_path": "last.ckpt"})
