"""The command line. `main` parses the verb and calls it; the only layer that knows all others."""

import argparse
import functools
import signal
import sys
import threading
from collections.abc import Callable, Sequence

from amesh.cli.ablate import add_ablate
from amesh.cli.benchmark import add_benchmark
from amesh.cli.correct import add_correct
from amesh.cli.data import add_data
from amesh.cli.evaluate import add_evaluate
from amesh.cli.export import add_export
from amesh.cli.fit import LIGHTNING, add_training, add_upload, train
from amesh.cli.label import add_label
from amesh.cli.negatives import add_negatives
from amesh.cli.options import DONE, FAILED
from amesh.cli.run import add_run
from amesh.cli.synth import add_synth
from amesh.cli.weights import add_info, add_weights
from amesh.errors import UserError
from amesh.version import __version__


def main(args: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        args: Words after `amesh`; those of the process by default.

    Returns:
        0 all done; 1 some inputs failed and the others are done; 2 bad usage or nothing done.
    """
    words = list(sys.argv[1:] if args is None else args)
    if words and words[0] in LIGHTNING:
        call: Callable[[], int] = functools.partial(train, words)
    else:
        options = build_parser().parse_args(words)
        call = functools.partial(options.call, options)
        # Not for training: Lightning saves before it stops.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, _stop)
    try:
        return call()
    except UserError as error:
        print(f"amesh: {error}", file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): not our failure, nothing left to say.
        sys.stderr.close()
        return DONE
    except OSError as error:
        if error.filename is None:
            raise
        print(f"amesh: {error.filename}: {error.strerror}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("amesh: interrupted", file=sys.stderr)
        return 130


def _stop(_number: int, _frame: object) -> None:
    # As Ctrl-C: what is being written is taken away on the way out.
    raise KeyboardInterrupt


def build_parser() -> argparse.ArgumentParser:
    """The parser of all verbs."""
    parser = argparse.ArgumentParser(
        prog="amesh",
        description="Attention Mesh: 478 3-D face landmarks, with lips, eyes and irises refined.",
        epilog="`amesh VERB --help` says more. Exit code: 0 all done; 1 some inputs failed, "
        "the others are done; 2 bad usage, or nothing could be done.",
    )
    parser.add_argument("--version", action="version", version=f"amesh {__version__}")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    add_run(verbs)
    add_weights(verbs)
    add_info(verbs)
    add_export(verbs)
    add_evaluate(verbs)
    add_benchmark(verbs)
    add_data(verbs)
    add_correct(verbs)
    add_label(verbs)
    add_negatives(verbs)
    add_synth(verbs)
    add_training(verbs)
    add_ablate(verbs)
    add_upload(verbs)
    return parser
