"""`amesh info`."""

import argparse
from pathlib import Path

from amesh.cli.parsing import DONE
from amesh.deploy import formats

DETAILS = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument(
        "model", metavar="MODEL", help="installed weights by name, a weights file, or an export"
    )
    parser.set_defaults(call=_info)


def _info(options: argparse.Namespace) -> int:
    from amesh.deploy import info as exported
    from amesh.weights import info as weights

    path = Path(options.model)
    is_export = formats.format_of(path)
    print(exported.describe(path) if is_export else weights.describe(options.model))
    return DONE
