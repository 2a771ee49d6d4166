"""Files that grow line by line and survive an interruption.

`faces.jsonl` grows as `faces.jsonl.part`. When the last line is on disk, that file takes its name;
until then, every line that was added is safe, whatever ends the process, and the work can be
resumed. `faces.jsonl.part.options` says which options the work was begun with.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from amesh.errors import UserError
from amesh.files import (
    as_user_error,
    check_replaceable,
    is_special,
    locked,
    make_folder,
    target,
    write_atomically,
)
from amesh.json_lines import parse

_BLOCK = 1 << 16


class GrowingFile:
    """Lines that are safe as soon as they are added; see `growing`."""

    def __init__(self, path: Path, file: IO[bytes], part: Path | None = None) -> None:
        """Wraps an open, unbuffered file.

        Args:
            path: Its name in messages.
            file: Positioned at its end.
            part: Where its lines can be read; nowhere if it is a pipe or a device.
        """
        self.path = path
        self._file, self._part = file, part

    def earlier(self) -> Iterator[bytes]:
        """The lines that are there, at first those that interrupted processes added."""
        if self._part is not None:
            with self._part.open("rb") as file:
                yield from file

    def add(self, line: bytes) -> None:
        """Writes a line.

        Raises:
            UserError: The disk is full, or another error of the operating system.
        """
        rest = memoryview(line + b"\n")
        with as_user_error(self.path):
            while rest:
                rest = rest[self._file.write(rest) :]


@contextmanager
def growing(path: Path, options: Mapping[str, Any], resume: bool = False) -> Iterator[GrowingFile]:
    """Opens `NAME.part`, which takes the name of `path` if the block succeeds.

    If anything goes wrong in the block, `NAME.part` keeps the lines that were added, and an earlier
    file of that name stays as it was. If the process is killed, the last line may be torn: it is
    cut off when the work is resumed. A symbolic link is followed, and stays. A pipe or a device,
    such as /dev/stdout, is written to directly, and cannot be resumed.

    Args:
        path: The file to be.
        options: What decides on the lines, as JSON values by the names that the user knows.
        resume: Adds to the lines of an interrupted run, if there was one.

    Raises:
        UserError: The folder cannot be written to, the disk is full, another process is writing
            this file, an interrupted run left lines and `resume` is not set, or its options differ.
    """
    if is_special(path):
        if resume:
            raise UserError(f"{path}: not a regular file; only those can be resumed")
        with as_user_error(path):
            device = path.open("wb", buffering=0)
        with device:
            yield GrowingFile(path, device)
        return
    check_replaceable(path)
    with as_user_error(path):
        goal = target(path)
        make_folder(goal.parent)
        mode = goal.stat().st_mode & 0o777 if goal.exists() else None
    part, about = part_of(goal), _options_of(goal)
    with _opened(part) as file:
        try:
            if file.tell():
                _check_resumable(part, about, options, resume)
            else:
                write_atomically(about, json.dumps(options).encode())
            yield GrowingFile(path, file, part)
            with as_user_error(path):
                os.fsync(file.fileno())
                file.close()
                if mode is not None:
                    part.chmod(mode)
                part.replace(goal)
                about.unlink(missing_ok=True)
        except BaseException:
            with suppress(OSError, ValueError):  # it may be closed already
                _cut_torn_line(file)
                if not file.tell():  # nothing to resume
                    part.unlink(missing_ok=True)
                    about.unlink(missing_ok=True)
            raise


def part_of(path: Path) -> Path:
    """Where the lines of a file are until it is finished."""
    return path.with_name(f"{path.name}.part")


def is_finished(path: Path) -> bool:
    """Whether a file is there and none is growing in its place."""
    return path.is_file() and not part_of(path.resolve()).exists()


def _options_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.part.options")


@contextmanager
def _opened(part: Path) -> Iterator[IO[bytes]]:
    """Opens a file behind its last whole line, for this process alone."""
    lock = part.with_name(f"{part.name}.lock")
    with locked(lock, f"{part}: another process is writing it; wait for it, or name another file"):
        with as_user_error(part):
            file = part.open("ab+", buffering=0)
        try:
            with as_user_error(part):
                _cut_torn_line(file)
            yield file
        finally:
            with suppress(OSError):  # closing fails as writing did
                file.close()
            with suppress(OSError):  # Windows keeps files that are open
                lock.unlink()


def _cut_torn_line(file: IO[bytes]) -> None:
    """Truncates the file behind its last whole line, and goes there."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(end - _BLOCK, 0)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    file.truncate(end)
    file.seek(end)


def _check_resumable(part: Path, about: Path, options: Mapping[str, Any], resume: bool) -> None:
    if not resume:
        raise UserError(
            f"{part} holds the results of an interrupted run: continue it with --resume, or delete "
            "the file to start again"
        )
    try:
        before = parse(about.read_bytes(), dict, "")
    except (OSError, UserError) as error:
        raise UserError(
            f"{about}: cannot be read ({error}); delete {part.name} to start again"
        ) from None
    for name, value in json.loads(json.dumps(options)).items():
        if before.get(name) != value:
            raise UserError(
                f"--resume: {part} was begun with {name} {before.get(name)}, now it is {value}; "
                "give the same, or delete the file to start again"
            )
