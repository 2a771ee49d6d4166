"""The standard output of a command: a full disk is one line, and a reader that leaves no error."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any

from amesh.errors import UserError


class _Output:
    """A stream whose errors say that they are of the standard output."""

    def __init__(self, stream: Any) -> None:
        """Wraps a stream."""
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes text.

        Raises:
            UserError: The disk is full, or another error of the operating system.
        """
        with self._checked():
            return int(self._stream.write(text))

    def flush(self) -> None:
        """Writes what is buffered.

        Raises:
            UserError: As for `write`.
        """
        with self._checked():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextmanager
    def _checked(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            with suppress(OSError, ValueError):  # in tests, a stream without a descriptor
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, self._stream.fileno())  # Python flushes once more when it exits
                os.close(null)
            if isinstance(error, BrokenPipeError):
                raise
            raise UserError(f"standard output: cannot be written ({error.strerror})") from error


@contextmanager
def checked_output() -> Iterator[None]:
    """Checks the standard output while the block runs, and that all of it is written at the end.

    Raises:
        UserError: It cannot be written.
        BrokenPipeError: Its reader has gone.
    """
    if sys.stdout is None:  # closed, by `>&-`
        yield
        return
    output: Any = _Output(sys.stdout)
    with redirect_stdout(output):
        try:
            yield
        finally:
            output.flush()
