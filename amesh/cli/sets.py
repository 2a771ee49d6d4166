"""The options that say which labelled faces; `evaluate` and `correct` have them."""

import argparse
from pathlib import Path


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
        help="labelled sets: manifests (.jsonl), folders of shards (as synth and label write "
        "them), of .pts, of .mat or of FaceSynthetics, COCO files (.json), WFLW lists (.txt)",
    )
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
