"""The options that say which network finds faces, and how; `run` and `label` have them."""

import argparse
from typing import TYPE_CHECKING

from amesh.cli.options import RUNTIMES, positive, probability

if TYPE_CHECKING:
    from amesh.face_mesh import FaceMesh


def add_face_mesh(parser: argparse.ArgumentParser, default: str, model: str) -> None:
    """Adds the options.

    Args:
        parser: Of the verb.
        default: Network of `--model` where it is not given.
        model: The help of `--model`.
    """
    parser.add_argument("--model", default=default, help=model)
    parser.add_argument(
        "--runtime", default="auto", choices=RUNTIMES, help="auto: the fastest that is installed"
    )
    parser.add_argument(
        "--detector",
        default="both",
        choices=["short", "full", "both", "crowd"],
        help="short: near faces; full: small ones; crowd: both, and tiles of the picture",
    )
    parser.add_argument("--max-faces", type=positive, metavar="N", help="at most N per picture")
    parser.add_argument(
        "--min-score", type=probability, default=0.5, metavar="P", help="drop faces less sure"
    )


def open_face_mesh(options: argparse.Namespace) -> "FaceMesh":
    """Opens what the options name.

    Raises:
        UserError: There is no such network, or it cannot be run.
    """
    from amesh.face_mesh import FaceMesh

    return FaceMesh(
        options.model,
        options.runtime,
        detector=options.detector,
        max_faces=options.max_faces,
        min_score=options.min_score,
    )
