"""Writing files so that nobody ever sees half of one."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from amesh.errors import UserError


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all; see `replacing`."""
    with replacing(path) as file, as_user_error(path):
        file.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Opens a temporary file beside `path` that takes its name when the block ends well.

    Whatever goes wrong in the block, an earlier file of that name stays as it was and no partial
    file is left. The file's folder is made where it is missing. A pipe or a device, such as
    /dev/stdout, is written to directly.

    Raises:
        UserError: The folder cannot be written to, or the disk is full.
    """
    if path.is_dir():
        raise UserError(f"{path}: a folder; name a file to write to")
    if path.exists() and not path.is_file():  # a rename would put a file in place of /dev/null
        with as_user_error(path):
            device = path.open("wb")
        with device:
            yield device
        return
    if path.exists() and not os.access(path, os.W_OK):  # a rename would not ask
        raise UserError(f"{path}: cannot be written (it is read-only)")
    with as_user_error(path):
        path = path.resolve()  # a link stays a link
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary, file = Path(name), os.fdopen(descriptor, "wb")
    try:
        yield file
        with as_user_error(path):
            file.flush()
            os.fsync(file.fileno())
            temporary.chmod(0o644)  # mkstemp makes files that only their owner reads
            file.close()
            temporary.replace(path)
    finally:
        with suppress(OSError):  # on a full disk, closing fails as writing did
            file.close()
        temporary.unlink(missing_ok=True)


@contextmanager
def as_user_error(path: Path) -> Iterator[None]:
    """Turns the operating system's refusal into one line that names the file."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from error
