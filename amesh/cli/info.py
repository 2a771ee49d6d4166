"""`amesh info`."""

import argparse

from amesh.cli.parsing import DONE

DETAILS = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("model", metavar="MODEL", help="installed weights by name, or a file")
    parser.set_defaults(call=_info)


def _info(options: argparse.Namespace) -> int:
    from amesh.weights.info import describe

    print(describe(options.model))
    return DONE
