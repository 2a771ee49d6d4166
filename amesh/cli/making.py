"""What `amesh synth` and `amesh profile` share: both make faces, for shards and for a sheet."""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from amesh.cli.parsing import positive
from amesh.errors import UserError

_IN_SHARDS = 10_000


def add_making(parser: argparse.ArgumentParser, what: str, on_sheet: int) -> None:
    """Adds the options that say what is written, how much of it, and by which process.

    Args:
        parser: Of the command.
        what: What the command makes, in the plural.
        on_sheet: How many of them a sheet shows by default.
    """
    parser.add_argument("--output", type=Path, metavar="DIR", help="folder for the shards")
    parser.add_argument(
        "--sheet", type=Path, metavar="FILE.png", help="picture for a contact sheet"
    )
    parser.add_argument(
        "--count",
        type=positive,
        metavar="N",
        help=f"number of {what} (default: {on_sheet} on a sheet, {_IN_SHARDS} in shards)",
    )
    parser.add_argument("--seed", type=int, default=0, help=f"another seed gives other {what}")
    parser.add_argument(
        "--rank", type=int, default=0, metavar="R", help="number of this process, from 0"
    )
    parser.add_argument(
        "--ranks", type=positive, default=1, metavar="N", help="number of processes"
    )


def check_making(options: argparse.Namespace) -> None:
    """Checks what is to be written, before anything is made.

    Raises:
        UserError: Nothing is, or the sheet is no PNG file.
    """
    from amesh.cli.sheet import check_sheet

    if options.output is None and options.sheet is None:
        raise UserError("nothing to write: give --output DIR for shards, or --sheet FILE.png")
    if options.sheet is not None:
        check_sheet(options.sheet)


def in_shards(options: argparse.Namespace) -> int:
    """How many faces the processes write into shards together."""
    count: int = options.count or _IN_SHARDS
    return count


@contextmanager
def progress(options: argparse.Namespace) -> Iterator[Callable[[int], object]]:
    """Shows how much of its share of the shards this process has made.

    Yields:
        What to call with the number of further faces.
    """
    from tqdm import tqdm

    mine = len(range(options.rank, in_shards(options), options.ranks))
    with tqdm(total=mine, unit="face", disable=not sys.stderr.isatty()) as bar:
        yield bar.update
