"""`amesh run` keeps every finished picture when interrupted at any time, and can be resumed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import one_face
import pytest
from PIL import Image

from amesh.growing import part_of

# Far more than are read before the last kill, so that a late signal still finds the run at work.
PICTURES = 200
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


def start(folder: Path, output: Path, seconds: float, *words: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, one_face.__file__, str(seconds), "run", str(folder), *words]
    root = str(Path(__file__).parents[2])
    return subprocess.Popen(
        [*command, "--output", str(output)],
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": root},
    )


def records(path: Path) -> list[bytes]:
    """The whole lines of a file."""
    return path.read_bytes().splitlines(keepends=True) if path.exists() else []


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_loses_nothing(tmp_path: Path) -> None:
    folder, output = tmp_path / "photos", tmp_path / "out" / "faces.jsonl"
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    for i in range(PICTURES):
        (folder / f"{i:03}.png").symlink_to(tmp_path / "a.png")
    part, moments, kept = part_of(output), random.Random(0), 0
    for number in moments.sample(SIGNALS * 2, 6):
        workers = str(moments.choice((1, 3)))
        process = start(folder, output, 0.05, "--resume", "--workers", workers)
        wanted = kept + moments.randint(1, 8)
        while len(records(part)) < wanted:
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.03))
        finished = [line for line in records(part) if line.endswith(b"\n")]
        process.send_signal(number)
        assert process.wait() == (-number if number == signal.SIGKILL else 130)
        assert not output.exists()
        lines = records(part)
        assert lines[: len(finished)] == finished
        kept = len([line for line in lines if line.endswith(b"\n")])
    assert start(folder, output, 0, "--resume").wait() == 0
    sources = [json.loads(line)["source"] for line in records(output)]
    assert sources == [f"{i:03}.png" for i in range(PICTURES)]  # each once, in order
    assert [path.name for path in output.parent.iterdir()] == ["faces.jsonl"]
