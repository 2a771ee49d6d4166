"""`amesh info`."""

import argparse
from pathlib import Path

from amesh.cli.parsing import DONE
from amesh.deploy import formats

DETAILS = """
Of weights: parameters and operations by part, config and origin. Of an exported file: runtime,
network, precision, inputs, outputs and origin, from its sidecar if that is there, otherwise from
the file itself.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="installed weights by name, a weights file, or an exported file",
    )
    parser.set_defaults(call=_info)


def _info(options: argparse.Namespace) -> int:
    from amesh.deploy import info as exported
    from amesh.weights import info as weights

    path = Path(options.model)
    is_exported = formats.format_of(path) is not None
    print(exported.describe(path) if is_exported else weights.describe(options.model))
    return DONE
