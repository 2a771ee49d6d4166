"""What commands share whose `--output` grows line by line and can be resumed."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from amesh.growing import part_of


def add_resume(parser: argparse.ArgumentParser, inputs: str) -> None:
    """Adds `--resume`.

    Args:
        parser: Of the command.
        inputs: What the command works through, for the help.
    """
    parser.add_argument(
        "--resume",
        action="store_true",
        help=f"continue an interrupted run with the same --output: {inputs} that it finished are "
        "not processed again",
    )


def face_mesh_choices(options: argparse.Namespace) -> Mapping[str, Any]:
    """The options of `add_face_mesh` by name, on which every line depends.

    Raises:
        UserError: There is no such network.
    """
    return {
        "--model": named_model(options.model),
        "--runtime": options.runtime,
        "--detector": options.detector,
        "--max-faces": options.max_faces,
        "--min-score": options.min_score,
    }


def named_model(model: str) -> str:
    """The network with a part of its file's hash, which tells two of one name apart.

    Raises:
        UserError: There is no such network.
    """
    from amesh.weights import store

    return f"{model} (SHA-256 {store.file_hash(model)[:12]})"


def say_how_to_resume(output: Path, done: str) -> None:
    """Tells what an interruption left.

    Args:
        output: The file that would have been written.
        done: What is in the file that grew.
    """
    print(f"amesh: {done} done, in {part_of(output)}; continue with --resume", file=sys.stderr)


def say_finished(output: Path) -> None:
    """Tells that a file to resume is complete."""
    print(f"amesh: {output} is finished already; nothing to resume", file=sys.stderr)
