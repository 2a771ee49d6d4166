"""The options that say which labelled faces, for all verbs that read some."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from amesh.evaluation.labels import LabelledData

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
    from amesh.evaluation.labels import LabelledData

    return LabelledData(
        tuple(options.data or ()),
        options.format,
        options.images,
        options.scheme,
        options.coordinates,
        options.only,
        options.without,
    )
