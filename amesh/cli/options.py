"""What the verbs share: exit codes, the look of the help, kinds of arguments."""

import argparse
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from amesh.errors import UserError

if TYPE_CHECKING:
    Verbs: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Verbs = argparse._SubParsersAction

# Exit codes: everything done; some inputs failed, the others are done; bad usage or nothing done.
DONE, SOME_FAILED, FAILED = 0, 1, 2

# `amesh.nn.config.DEFAULT`, without what importing that brings along.
MODEL = "paper-256"
RUNTIMES = ("auto", "litert", "onnx", "torch", "tensorrt")


class Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows defaults, but not where there is none to show."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default in (None, False, argparse.SUPPRESS):
            return action.help
        return super()._get_help_string(action)


def verb(verbs: Verbs, name: str, text: str) -> argparse.ArgumentParser:
    """Adds a verb; the first line of its text is its line in the list of verbs."""
    summary = text.split("\n")[0]
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=summary, description=text, formatter_class=Formatter
    )
    return parser


def positive(text: str) -> int:
    """A whole number above 0."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return value


def probability(text: str) -> float:
    """A number from 0 up to, but not, 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 up to, but not, 1")
    return value


def needs_training(module: str, name: str) -> Any:
    """A function of a module that needs the extra `train`, which is imported here.

    Raises:
        UserError: What it needs is not installed.
    """
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("amesh"):
            raise
        raise UserError(f"this needs {error.name}: pip install 'amesh[train]'") from None


def count(number: int, noun: str) -> str:
    """`1 face`, `2 faces`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


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


if TYPE_CHECKING:
    from amesh.evaluation.labels.read import LabelledData

SETS = (
    "manifests (.jsonl), folders of shards (as synth and label write them), of .pts, of .mat or of "
    "FaceSynthetics, COCO files (.json), WFLW lists (.txt)"
)


def add_sets(parser: argparse.ArgumentParser, required: bool = False) -> None:
    """Adds the options.

    Args:
        parser: Of the verb.
        required: Whether there has to be a set.
    """
    parser.add_argument(
        "--data",
        nargs="+",
        type=Path,
        required=required,
        metavar="SET",
        help=f"labelled sets: {SETS}",
    )
    add_formats(parser)
    parser.add_argument(
        "--only",
        type=Path,
        metavar="FILE",
        help="these faces alone: a text file with a key on each line, such as the held_out.txt "
        "of a training",
    )
    parser.add_argument(
        "--without", type=Path, metavar="FILE", help="leave these faces out: a file like --only's"
    )


def add_formats(parser: argparse.ArgumentParser) -> None:
    """Adds what a set's format leaves open."""
    parser.add_argument(
        "--format",
        default="auto",
        choices=["auto", "shards", "jsonl", "pts", "wflw", "mat", "coco", "face_synthetics"],
        help="of all sets; auto looks",
    )
    parser.add_argument("--images", type=Path, metavar="DIR", help="pictures of wflw, coco sets")
    parser.add_argument(
        "--scheme", metavar="NAME", help="of the points, where the format is silent"
    )
    parser.add_argument(
        "--coordinates",
        choices=["corner", "index", "one"],
        help="what labels count from, where the format is silent: a pixel's corner, its centre at "
        "0, or its centre at 1",
    )


def chosen_sets(options: argparse.Namespace) -> "LabelledData":
    """What the options of `add_sets` say."""
    from amesh.evaluation.labels.read import LabelledData

    return LabelledData(
        tuple(options.data or ()),
        options.format,
        options.images,
        options.scheme,
        options.coordinates,
        options.only,
        options.without,
    )
