"""Opens LiteRT's interpreter without its greeting."""

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amesh.errors import UserError

# One at a time: two threads that redirect the standard error could not both restore it.
_REDIRECTION = threading.Lock()
# Said on the standard error by every interpreter; no setting and no log level turns it off.
_GREETING = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU."


def open_interpreter(content: bytes, threads: int = 1) -> Any:
    """An interpreter of a TFLite file, its tensors allocated.

    Args:
        content: The file.
        threads: Threads of one run.

    Raises:
        UserError: LiteRT is not installed.
        ValueError, RuntimeError: From LiteRT, which cannot load the file.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise UserError("TFLite files run in LiteRT: pip install 'amesh[litert]'") from error
    with _REDIRECTION, _without_greeting():
        interpreter = Interpreter(model_content=content, num_threads=threads)
        interpreter.allocate_tensors()
    return interpreter


@contextmanager
def _without_greeting() -> Iterator[None]:
    """Holds back what native code writes to the standard error, and passes all but that line on."""
    try:
        stderr = os.dup(2)
    except OSError:  # closed, by `2>&-`
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            lines = held.read().splitlines(keepends=True)
            os.write(2, b"".join(line for line in lines if line.strip() != _GREETING))
