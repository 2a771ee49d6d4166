"""`amesh upload`."""

import argparse
from pathlib import Path

from amesh.cli.options import needs_training

DETAILS = """
Uploading is a step of its own, so that training never waits for it. The files go to the run that a
checkpoint among them belongs to, or to a new one. Without an API key they are recorded offline,
and `wandb sync` sends them later.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="files to upload")
    parser.add_argument("--project", default="amesh", help="W&B project")
    parser.add_argument(
        "--run", metavar="ID", help="W&B run (default: the checkpoint's, or a new one)"
    )
    parser.add_argument(
        "--save-dir", type=Path, default=Path("logs"), metavar="DIR", help="folder for W&B's files"
    )
    parser.add_argument(
        "--release",
        action="store_true",
        help="add the alias `release`; refused if the licence of some training pictures does not "
        "allow the network to be released",
    )
    parser.set_defaults(call=_upload)


def _upload(options: argparse.Namespace) -> int:
    upload = needs_training("amesh.training.upload", "upload")
    code: int = upload(
        options.files, options.project, options.run, options.save_dir, options.release
    )
    return code
