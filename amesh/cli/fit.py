"""`amesh fit`, `validate` and `test`, which LightningCLI parses, and `amesh upload`."""

import argparse
from pathlib import Path

from amesh.cli.options import Verbs, needs_training, verb

# Lightning takes seconds to import, so only these verbs do.
LIGHTNING = {
    "fit": "train a network: `amesh fit --config quick` shows it in minutes",
    "validate": "errors and losses of a network on validation data",
    "test": "the same on test data",
}


def train(words: list[str]) -> int:
    """Hands a verb of `LIGHTNING` and its options to LightningCLI.

    Raises:
        UserError: What training needs is not installed.
    """
    code: int = needs_training("amesh.training.cli", "main")(words)
    return code


def add_training(verbs: Verbs) -> None:
    """Lists the verbs of training; `train` runs them before they would be parsed here."""
    for name, text in LIGHTNING.items():
        verbs.add_parser(name, help=text, add_help=False)


def add_upload(verbs: Verbs) -> None:
    """Adds `upload`."""
    parser = verb(
        verbs,
        "upload",
        "keep checkpoints and exports in Weights & Biases, as artifacts\n\n"
        "A step of its own, so that training never waits for it. The files go to the run that a\n"
        "checkpoint among them was made in. Without a key they are recorded offline, and\n"
        "`wandb sync` sends them later.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="what to keep")
    parser.add_argument("--project", default="amesh", help="the W&B project")
    parser.add_argument("--run", metavar="ID", help="the run; a new one without any")
    parser.add_argument(
        "--save-dir", type=Path, default=Path("logs"), metavar="DIR", help="for W&B's own files"
    )
    parser.add_argument(
        "--release",
        action="store_true",
        help="give the alias `release`; refused where the training pictures' terms do not allow it",
    )
    parser.set_defaults(call=_upload)


def _upload(options: argparse.Namespace) -> int:
    upload = needs_training("amesh.training.upload", "upload")
    code: int = upload(
        options.files, options.project, options.run, options.save_dir, options.release
    )
    return code
