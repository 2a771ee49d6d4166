"""Streams frames as lines of JSON, to the standard output or a file."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from amesh.files import as_user_error, replacing
from amesh.growing import part_of
from amesh.streaming.json_text import line
from amesh.streaming.state import FrameState

OUTPUT = "-"


class BrokenOff(Exception):
    """A video could not be read, or not to its end."""


class LineSink:
    """Writes a line for each frame.

    Attributes:
        name: The target, as in messages.
        dropped: 0: a slow reader is waited for.
    """

    dropped = 0

    def __init__(self, name: str, write: Callable[[str], None]) -> None:
        """Takes what writes a line, its end left out."""
        self.name, self._write = name, write

    def send(self, frame: FrameState) -> None:
        """Writes a frame."""
        self._write(line(frame))


@contextmanager
def line_sink(name: str, place: str, say: Callable[[str], None]) -> Iterator[LineSink]:
    """Opens a file, which takes its name when the block ends, or the standard output.

    Ctrl-C keeps the lines written until then. So does `BrokenOff`; where there is an earlier file,
    which may be whole, they go to `NAME.part`. After any other error, no file is left, and an
    earlier one of that name stays as it was. A pipe or a device is written to directly.

    Args:
        name: The target, for messages.
        place: A path; "-" for the standard output.
        say: Tells the user something, in one line.

    Raises:
        BrokenOff: From the block.
        UserError: The file cannot be written.
        BrokenPipeError: The reader of the standard output has gone.
    """
    if place == OUTPUT:
        yield LineSink(name, lambda text: print(text, flush=True))
        return
    path = Path(place)
    interrupted: BaseException | None = None
    with replacing(path) as file:

        def write(text: str) -> None:
            with as_user_error(path):
                file.write(text.encode("ascii") + b"\n")
                file.flush()

        try:
            yield LineSink(name, write)
        # The latter, if the block is in a generator whose consumer was interrupted.
        except (KeyboardInterrupt, GeneratorExit) as error:
            interrupted = error
        except BrokenOff as error:
            if path.is_file():
                if file.tell():
                    with as_user_error(part_of(path)):
                        shutil.copyfile(file.name, part_of(path))
                    say(f"{name}: the earlier file stays; the new lines are in {part_of(path)}")
                raise
            interrupted = error
    if interrupted is not None:
        raise interrupted
