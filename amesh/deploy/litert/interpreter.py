"""Opens LiteRT's interpreter without printing its greeting."""

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amesh.deploy.litert.slopes import repeat_slopes
from amesh.errors import UserError, how_to_install

# One thread at a time: two that redirect stderr could not both restore it.
_REDIRECTION = threading.Lock()
# Printed to stderr by every interpreter; no setting or log level turns it off.
_GREETING = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU."


def open_interpreter(content: bytes, threads: int = 1) -> Any:
    """Opens an interpreter for a TFLite file and allocates its tensors.

    Args:
        content: The file.
        threads: Threads per run.

    Raises:
        UserError: LiteRT is not installed.
        ValueError, RuntimeError: From LiteRT, if it cannot load the file.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise UserError(f"TFLite files run in LiteRT: {how_to_install('litert')}") from error
    content = repeat_slopes(content)
    with _REDIRECTION, _without_greeting():
        interpreter = Interpreter(model_content=content, num_threads=threads)
        interpreter.allocate_tensors()
    return interpreter


@contextmanager
def _without_greeting() -> Iterator[None]:
    """Buffers what native code writes to stderr, and passes on everything but the greeting."""
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
