"""The command line. `main` parses a command and calls it; the only layer that knows all others."""

import signal
import sys
import threading
from collections.abc import Sequence

from amesh.cli.commands import LIGHTNING, command_parser, main_parser
from amesh.cli.options import needs_training
from amesh.cli.output import checked_output
from amesh.cli.parsing import DONE, FAILED
from amesh.errors import UserError


def main(args: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        args: What follows `amesh` on the command line; the process's own arguments by default.

    Returns:
        0 all done; 1 some inputs failed and the others are done; 2 bad usage or nothing done.
    """
    arguments = list(sys.argv[1:] if args is None else args)
    try:
        with checked_output():
            return _run(arguments)
    except UserError as error:
        print(f"amesh: {error}", file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        return DONE  # the reader has gone (`| head`): no failure of ours, nothing left to say
    except OSError as error:
        if error.filename is None:
            raise
        print(f"amesh: {error.filename}: {error.strerror}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("amesh: interrupted", file=sys.stderr)
        return 130


def _run(arguments: Sequence[str]) -> int:
    if not arguments:
        main_parser().print_help(sys.stderr)
        return FAILED
    name, *rest = arguments
    if name in LIGHTNING:
        return int(needs_training("amesh.training.cli", "main")(arguments))
    if name.startswith("-"):
        main_parser().parse_args(arguments)  # --help and --version end here
        raise UserError("no command before the options; `amesh --help` lists the commands")
    options = command_parser(name).parse_args(rest)
    # Not for training: Lightning saves before it stops.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _stop)
    return int(options.call(options))


def _stop(_number: int, _frame: object) -> None:
    # As Ctrl-C: what is being written is taken away on the way out.
    raise KeyboardInterrupt
