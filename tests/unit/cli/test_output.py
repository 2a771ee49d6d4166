"""What becomes of the standard output when it cannot be written or nobody reads it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")
LINE = "amesh: standard output: cannot be written (No space left on device)\n"
MANY = """
import sys
from amesh.cli import commands, main
from types import SimpleNamespace

def parser(name):
    def call(options):
        for _ in range(100_000):
            print("a line of output")
        return 0
    return SimpleNamespace(parse_args=lambda rest: SimpleNamespace(call=call))

main.__globals__["command_parser"] = parser
sys.exit(main(["run"]))
"""


@pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
@pytest.mark.parametrize("words", [["-m", "amesh", "--help"], ["-c", MANY]])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_is_one_line_and_exit_code_2(words: list[str], unbuffered: str) -> None:
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        )
    assert (done.returncode, done.stderr) == (2, LINE)


def test_a_reader_that_goes_away_is_no_failure() -> None:
    command = [sys.executable, "-c", MANY]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "a line of output\n"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0
