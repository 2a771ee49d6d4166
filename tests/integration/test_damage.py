"""A few damaged files of every kind that is read quickly; `nox -s damage` takes many of all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

KINDS = (
    *("weights", "weights, header edited", "checkpoint, edited", "shard", "shard index"),
    *("manifest", "COCO", "label ledger", "topology", "ablation YAML", "png"),
)
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def test_damaged_files_are_refused_or_read() -> None:
    command = [sys.executable, str(ROOT / "tests" / "damage" / "check.py"), "--files", "12", *KINDS]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = done.stdout.splitlines()[1:]
    assert [row[:26].strip() for row in rows] == list(KINDS)


def test_what_should_not_happen_is_noticed(tmp_path: Path) -> None:
    """A reader that crashes, hangs or takes what its checksum refuses."""
    kinds = tmp_path / "kinds.py"
    kinds.write_text("""
import os, time
from damages import damage_bytes
from types import SimpleNamespace

def make(folder):
    path = folder / "file"
    path.write_bytes(bytes(range(256)))
    return path

def crash(path):
    if path.read_bytes() != bytes(range(256)):
        os._exit(3)

def fail(path):
    if path.read_bytes() != bytes(range(256)):
        raise KeyError("a name")

def eat(path):
    if path.read_bytes() != bytes(range(256)):
        bytearray(2 << 30)

def kind(read, checked=False):
    return SimpleNamespace(make=make, read=read, damage=damage_bytes, checked=checked)

KINDS = {
    "crash": kind(crash),
    "fail": kind(fail),
    "eat": kind(eat),
    "wrong": kind(lambda path: path.read_bytes(), True),
    "read": kind(lambda path: path.read_bytes()),
}
""")
    for name in ("check.py", "damages.py"):
        (tmp_path / name).write_text((ROOT / "tests" / "damage" / name).read_text())
    command = [sys.executable, str(tmp_path / "check.py"), "--files", "2"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.returncode == 1
    outcomes = {line.split(":")[0]: line.split(": ")[2] for line in done.stdout.splitlines()[6:]}
    assert outcomes == {
        "crash": "crash",
        "fail": "traceback",
        "eat": "memory",
        "wrong": "wrong",
    }, done.stdout + done.stderr
