"""The commands of `amesh`: what there is, in the order of the help, and the parser of one of them.

A command is the module of the same name in `amesh.cli`. It has `DETAILS`, what its help says after
the line in the table below, and `add_arguments(parser)`, which also sets `call`, the function that
runs the parsed command. Only the module of the command that is asked for is imported.
"""

import argparse
from collections.abc import Mapping
from importlib import import_module

from amesh.cli.parsing import Parser, suggestion
from amesh.errors import UserError
from amesh.version import __version__

GROUPS: Mapping[str, Mapping[str, str]] = {
    "Find landmarks": {
        "run": "find faces and their landmarks in pictures and video",
    },
    "Networks": {
        "weights": "download, list and locate network weights",
        "info": "describe a network or an exported file",
        "export": "export a network to another runtime, checked against PyTorch",
    },
    "Measure": {
        "evaluate": "measure the accuracy of networks on labelled faces",
        "benchmark": "measure the speed of networks, or of training",
    },
    "Prepare data": {
        "data": "check labelled sets before training on them",
        "label": "label faces with a network, to train another network on them",
        "correct": "measure a network's systematic errors, to correct its labels",
        "negatives": "find regions without a face, to train the face flag",
        "synth": "generate synthetic faces with exact landmarks",
        "profile": "turn labelled faces to the side, to train on profiles",
    },
    "Train": {
        "fit": "train a network; `amesh fit --config quick` takes minutes",
        "validate": "compute a network's errors and losses on validation data",
        "test": "compute a network's errors and losses on test data",
        "ablate": "train variants of a network and compare their errors",
        "effects": "time effects; train and grade the blendshape network",
        "upload": "upload checkpoints and exports to Weights & Biases",
    },
}
SUMMARIES = {name: line for group in GROUPS.values() for name, line in group.items()}
# Parsed by LightningCLI. Lightning takes seconds to import, so only these commands do.
LIGHTNING = ("fit", "validate", "test")


def command_parser(name: str) -> argparse.ArgumentParser:
    """The parser of one command.

    Raises:
        UserError: There is no such command.
    """
    if name not in SUMMARIES or name in LIGHTNING:
        near = suggestion(name, SUMMARIES)
        raise UserError(f"no command {name!r}{near}; `amesh --help` lists them all")
    module = import_module(f"amesh.cli.{name}")
    parser = Parser(f"amesh {name}", f"{SUMMARIES[name]}\n\n{module.DETAILS}")
    module.add_arguments(parser)
    return parser


def main_parser() -> argparse.ArgumentParser:
    """The parser for what comes in place of a command; its help lists the commands."""
    lines = ["Attention Mesh: 478 3-D face landmarks, with lips, eyes and irises refined.", ""]
    for group, commands in GROUPS.items():
        lines += [f"{group}:", *(f"  {name:<11}{line}" for name, line in commands.items()), ""]
    lines += [
        "`amesh COMMAND --help` describes a command. Exit codes: 0, everything is done; "
        "1, some inputs failed and the others are done; 2, wrong usage or nothing could be done.",
    ]
    parser = Parser("amesh", "\n".join(lines))
    parser.usage = "amesh COMMAND [OPTION ...]"
    parser.add_argument("--version", action="version", version=f"amesh {__version__}")
    return parser
