"""`amesh effects`."""

import argparse
import sys
from pathlib import Path

from amesh.cli.parsing import DONE, add_action, add_actions, count, positive
from amesh.errors import UserError

DETAILS = """
To draw effects on pictures and video, see --effect in `amesh run --help`.
"""

_ICT = "ICT-FaceKit's shapes at the 478 landmarks (docs/effects.md says what is in the file)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the actions."""
    actions = add_actions(parser)
    benchmark = add_action(
        actions,
        "benchmark",
        "measure the CPU time of each effect\n\n"
        "The largest face of the picture is made 400 px high, in a frame of 1280 x 720. The "
        "effects take turns, and medians are reported.",
    )
    benchmark.add_argument("picture", metavar="PICTURE", help="a picture of a face")
    benchmark.add_argument(
        "--rounds", type=positive, default=100, metavar="N", help="calls of each effect"
    )
    benchmark.add_argument(
        "--output", type=Path, metavar="FILE.md", help="also write the report to this file"
    )
    benchmark.set_defaults(call=_benchmark)
    train = add_action(
        actions,
        "train",
        "train the blendshape network\n\n"
        "It learns from two teachers: Google's blendshape network on labelled faces, and "
        "ICT-FaceKit's shapes on random people. `amesh weights import face-landmarker` brings the "
        "former. The result replaces amesh/effects/blendshapes.npz.",
    )
    train.add_argument(
        "shards", type=Path, metavar="SHARDS", help="faces as `amesh label` writes them"
    )
    train.add_argument("--ict", type=Path, required=True, metavar="FILE.npz", help=_ICT)
    train.add_argument(
        "--output", type=Path, required=True, metavar="FILE.npz", help="the network to write"
    )
    train.add_argument(
        "--synthetic", type=positive, default=20_000, metavar="N", help="number of synthetic faces"
    )
    train.add_argument(
        "--epochs", type=positive, default=14, metavar="N", help="how often each face is seen"
    )
    train.set_defaults(call=_train)
    grade = add_action(
        actions,
        "grade",
        "grade the blendshapes that come with amesh, beside Face Landmarker's\n\n"
        "RECORDS holds Face Landmarker's landmarks and values of some clips, as `nox -s video` "
        "records them.",
    )
    grade.add_argument("records", type=Path, metavar="RECORDS.jsonl", help="Face Landmarker's")
    grade.add_argument("--ict", type=Path, required=True, metavar="FILE.npz", help=_ICT)
    grade.add_argument(
        "--grades",
        type=Path,
        metavar="FILE.json",
        help="write the grades: amesh/effects/blendshape_grades.json",
    )
    grade.add_argument(
        "--output", type=Path, metavar="FILE.md", help="also write the report to this file"
    )
    grade.set_defaults(call=_grade)


def _benchmark(options: argparse.Namespace) -> int:
    from amesh.benchmark.effects import describe
    from amesh.files import write_atomically

    _check_outputs(options.output)
    text = describe(options.picture, options.rounds)
    print(text, end="")
    if options.output is not None:
        write_atomically(options.output, text.encode())
    return DONE


def _train(options: argparse.Namespace) -> int:
    from amesh.training.blendshapes import train

    if options.output.suffix != ".npz":
        raise UserError(f"{options.output}: give a name that ends in .npz")
    _check_outputs(options.output)
    faces = train(options.shards, options.ict, options.output, options.synthetic, options.epochs)
    print(f"{options.output}: learnt from {count(faces, 'face')}", file=sys.stderr)
    return DONE


def _grade(options: argparse.Namespace) -> int:
    from amesh.evaluation.blendshapes import grade_blendshapes

    _check_outputs(options.grades, options.output)
    print(grade_blendshapes(options.records, options.ict, options.grades, options.output), end="")
    return DONE


def _check_outputs(*paths: Path | None) -> None:
    """Refuses files that cannot be written, before minutes of work are lost."""
    from amesh.files import check_replaceable

    for path in paths:
        if path is not None:
            check_replaceable(path)
