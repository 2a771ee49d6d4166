"""Writes files so that nobody ever sees a partial one, and refuses to read what has no end."""

import errno
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath
from typing import IO

from filelock import FileLock, Timeout

from amesh.errors import UserError


def write_atomically(path: Path, content: bytes | memoryview) -> None:
    """Writes a whole file or none; see `replacing`."""
    with replacing(path) as file, as_user_error(path):
        file.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Opens a temporary file beside `path` that takes its name if the block succeeds.

    If anything goes wrong in the block, an earlier file of that name stays as it was and no partial
    file is left. Missing folders are created. A file that is replaced keeps its permissions; a new
    one gets those that the umask leaves. A symbolic link is followed: the file that it points to is
    written, even if it does not exist yet, and the link stays. A pipe or a device, such as
    /dev/stdout, is written to directly.

    Raises:
        UserError: The folder cannot be written to, or the disk is full.
    """
    if is_special(path):
        with as_user_error(path):
            device = path.open("wb")
        try:
            yield device
            with as_user_error(path):
                device.flush()
        finally:
            with suppress(OSError):  # closing fails as writing did
                device.close()
        return
    check_replaceable(path)
    with as_user_error(path):
        path = target(path)
        make_folder(path.parent)
        mode = path.stat().st_mode & 0o777 if path.exists() else None
        temporary, file = _create_beside(path)
    try:
        yield file
        with as_user_error(path):
            file.flush()
            os.fsync(file.fileno())
            if mode is not None:
                temporary.chmod(mode)
            file.close()
            temporary.replace(path)
    finally:
        with suppress(OSError):  # closing fails as writing did
            file.close()
        temporary.unlink(missing_ok=True)


def write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Writes a whole folder or nothing; an earlier folder of that name is replaced.

    Args:
        path: The folder.
        files: Content of its files, by their path in it.

    Raises:
        UserError: There is a file in its place, the folder above it cannot be written to, or the
            disk is full.
    """
    if path.exists() and not path.is_dir():
        raise UserError(f"{path}: a file; name a folder to write to")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    earlier = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with as_user_error(path):
            for name, content in files.items():
                make_folder((temporary / name).parent)
                (temporary / name).write_bytes(content)
            if path.is_dir():  # a folder cannot take the place of one with files
                path.rename(earlier)
            temporary.rename(path)
    finally:
        if earlier.is_dir() and not path.exists():
            earlier.rename(path)
        for folder in (temporary, earlier):
            shutil.rmtree(folder, ignore_errors=True)


def make_folder(path: Path) -> None:
    """Creates a folder where it is missing, and those above it.

    Raises:
        UserError: There is a file in its place.
        OSError: It cannot be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        file = next(one for one in (path, *path.parents) if one.exists())
        raise UserError(f"{file}: cannot be written into: it is a file, not a folder") from None


def is_special(path: Path) -> bool:
    """Whether a path is a pipe or a device: a rename would put a file in place of /dev/null."""
    return path.exists() and not path.is_file() and not path.is_dir()


def check_replaceable(path: Path) -> None:
    """Refuses what a rename would overwrite without asking.

    Raises:
        UserError: The path is a folder, or a read-only file.
    """
    if path.is_dir():
        raise UserError(f"{path}: a folder; name a file to write to")
    if path.exists() and not os.access(path, os.W_OK):
        raise UserError(f"{path}: cannot be written (it is read-only)")


def target(path: Path) -> Path:
    """The file that a path names, at the end of its symbolic links.

    Raises:
        OSError: The links form a circle.
    """
    try:
        return path.resolve()
    except RuntimeError:  # links in a circle, before Python 3.13
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None


def remove_leftovers(folder: Path, name: str = "*") -> None:
    """Removes temporary files that writers left in a folder when they were killed.

    Nobody else may be writing there.

    Args:
        folder: Where they are; it may be missing.
        name: Of the file that they were to become; any by default.
    """
    for entry in folder.glob(f".{name}.*"):
        if re.fullmatch(r"[0-9a-f]{8}", entry.suffix[1:]):
            entry.unlink(missing_ok=True)


def _create_beside(path: Path) -> tuple[Path, IO[bytes]]:
    """A new file in the same folder, under a name that no other has; the umask applies."""
    while True:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        with suppress(FileExistsError):
            return temporary, temporary.open("xb")


@contextmanager
def locked(path: Path, taken: str = "", wait: bool = False) -> Iterator[None]:
    """Holds a lock file while the block runs; the system releases it if the process dies.

    The file itself stays. Its folder is created if it is missing.

    Args:
        path: The lock file.
        taken: What to tell the user if another process holds it.
        wait: Wait for the other process instead.

    Raises:
        UserError: Another process holds the lock, or the file cannot be written.
    """
    lock = FileLock(path)
    with as_user_error(path):
        make_folder(path.parent)
        try:
            lock.acquire(blocking=wait)
        except Timeout:
            raise UserError(taken) from None
        except NotImplementedError as error:
            raise UserError(f"{path}: {error}") from error
    try:
        yield
    finally:
        lock.release()


def check_readable(path: Path, limit: int = 2 * 10**9) -> None:
    """Refuses what would hang a reader, or fill the memory: only regular files are read whole.

    Args:
        path: A file.
        limit: Largest size [bytes].

    Raises:
        UserError: The file is missing, empty, not a regular file, or too large.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"{path}: cannot be opened ({reason})") from error
    if stat.S_ISDIR(status.st_mode):
        raise UserError(f"{path}: a folder, not a file")
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{path}: not a regular file")
    if status.st_size == 0:
        raise UserError(f"{path}: the file is empty (0 bytes)")
    if status.st_size > limit:
        raise UserError(
            f"{path}: too large ({status.st_size / 1e9:.1f} GB; the limit is {limit / 1e9:.1f} GB)"
        )


@contextmanager
def as_user_error(path: Path) -> Iterator[None]:
    """Turns an error of the operating system into one line that names the file."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from error


def may_be_same(first: PurePath, second: PurePath) -> bool:
    """Whether two paths may be those of one file: the shorter one is the end of the longer one.

    Folders need not be the same on both sides, as one path may be relative.
    """
    shorter = min(len(first.parts), len(second.parts))
    return first.parts[-shorter:] == second.parts[-shorter:]
