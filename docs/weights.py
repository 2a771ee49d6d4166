"""Makes the weights that come with amesh: `python docs/weights.py FACES FOLDER`.

The commands are those of the page beside it, weights.md: the first block of its section "The
commands", each run in FOLDER. A command that has ended well is not run again, and one that was
interrupted goes on where it was, so this may be stopped and called again at any time.
"""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_BLOCK = re.compile(r"^## The commands$.*?^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FIT = re.compile(r"\bamesh fit\b")


def commands(page: str) -> list[str]:
    """The commands of the page, continuation lines joined.

    Raises:
        ValueError: It has no such section.
    """
    found = _BLOCK.search(page)
    if not found:
        raise ValueError("no commands: the page has no block in a section 'The commands'")
    lines = re.sub(r"\s*\\\n\s*", " ", found[1]).splitlines()
    return [line.strip() for line in lines if line.strip()]


def resumed(command: str, run: Path) -> str:
    """The command, going on from the last checkpoint of its run if it has left one.

    Args:
        command: One that trains.
        run: The folder that it logs to.
    """
    last = run / "checkpoints" / "last.ckpt"
    return f"{command} --ckpt_path {last}" if last.is_file() else command


def make(page: str, folder: Path) -> int:
    """Runs the commands in a folder that holds `faces` and `conf`.

    Returns:
        0 when all have ended well, or else the code of the one that has not.
    """
    done = folder / "done"
    done.mkdir(exist_ok=True)
    trainings = 0
    for number, command in enumerate(commands(page), start=1):
        mark = done / f"{number:02}-{hashlib.sha256(command.encode()).hexdigest()[:8]}"
        trains, now = bool(_FIT.search(command)), command
        if trains:  # each has a folder of its own, by its number
            now = resumed(command, (folder / "logs" / f"version_{trainings}").absolute())
            trainings += 1
        if mark.exists():
            print(f"done already: {command}", flush=True)
            continue
        print(f"runs: {now}", flush=True)
        if code := subprocess.run(["bash", "-c", now], cwd=folder).returncode:
            print(f"ended with {code}; the same command goes on from here", file=sys.stderr)
            return code
        mark.touch()
    return 0


def main(faces: Path, folder: Path) -> int:
    """Makes the weights in a folder, and says where they are.

    Returns:
        The exit code.

    Raises:
        SystemExit: The folder has files of its own under the names of the links.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, target in (("faces", faces), ("conf", ROOT / "conf")):
        link = folder / name
        if link.is_symlink():
            link.unlink()
        elif link.exists():
            sys.exit(f"{link}: not a link made by this script; choose another folder")
        link.symlink_to(target.resolve(), target_is_directory=True)
    return make((ROOT / "docs" / "weights.md").read_text(encoding="utf-8"), folder)


if __name__ == "__main__":
    if len(sys.argv) != 3 or not Path(sys.argv[1]).is_dir():
        sys.exit("which pictures, and where to? docs/weights.py FACES FOLDER")
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
