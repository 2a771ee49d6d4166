"""`amesh profile`."""

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from amesh.cli.fields import add_fields, from_options
from amesh.cli.making import add_making, check_making, in_shards, progress
from amesh.cli.parsing import DONE, SOME_FAILED, count
from amesh.errors import UserError
from amesh.profiling.options import ProfileConfig

if TYPE_CHECKING:
    from amesh.data.sources.source import Source
    from amesh.profiling.head import HeadFitter

DETAILS = """
A whole head is fitted to the landmarks of each face, takes the picture as its colour, and is turned
further the way it already looks; the picture behind it is filled. The landmarks turn with the head,
and hidden ones are marked. --output writes shards to train on, with source, licence and person of
the pictures. --sheet draws some of the profiles, each with its landmarks beside it.

SHARDS are those of `amesh label`. Faces that are small, turned away already, or labelled with
little agreement are left out, as are pictures with several faces; the counts say why.

The same command again resumes where it was interrupted, and several processes share the work if
each has its own --rank. Another --seed, --least, --most or --pitch adds other profiles.
"""
_TILE = 420  # side of a face on a sheet [px]
_ON_SHEET = 12
# Views of a face beyond which more of them are said to add little.
_VIEWS = 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument(
        "shards", nargs="+", type=Path, metavar="SHARDS", help="a folder of shards, or a .tar"
    )
    add_making(parser, "profiles", _ON_SHEET)
    add_fields(
        parser,
        ProfileConfig,
        min_face={"metavar": "PX"},
        min_weight={"metavar": "W"},
        max_yaw={"metavar": "DEGREES"},
        least={"metavar": "DEGREES"},
        most={"metavar": "DEGREES"},
        pitch={"metavar": "DEGREES"},
    )
    parser.add_argument(
        "--only", type=Path, metavar="FILE", help="list of keys, one a line: only these faces"
    )
    parser.add_argument(
        "--without", type=Path, metavar="FILE", help="list of keys of faces to leave out"
    )
    parser.set_defaults(call=_profile)


def _profile(options: argparse.Namespace) -> int:
    from amesh import topology
    from amesh.profiling.head import HeadFitter
    from amesh.profiling.selection import select
    from amesh.profiling.write import write_profiles

    check_making(options)
    config = from_options(ProfileConfig, options)
    scheme = topology.load()
    source = _opened(options.shards, options.only, options.without)
    found = select(source, scheme, config)
    faces = count(len(found.numbers), "face")
    print(f"{faces} to turn, of {len(source)}{_reasons(found.left_out)}", file=sys.stderr)
    fitter = HeadFitter(scheme)
    if options.sheet is not None:
        number = options.count or _ON_SHEET
        _sheet(options.sheet, source, found.numbers, fitter, config, number, options.seed)
    if options.output is None:
        return DONE
    wanted = in_shards(options)
    if found.numbers and wanted > _VIEWS * len(found.numbers):
        _say(
            f"{count(wanted, 'profile')} of {faces}: up to {-(-wanted // len(found.numbers))} "
            f"views of each; more than {_VIEWS} add little, more faces or a smaller --count would "
            "be better"
        )
    with progress(options) as done:
        counts = write_profiles(
            options.output,
            source,
            found.numbers,
            fitter,
            config,
            wanted,
            options.seed,
            options.rank,
            options.ranks,
            done=done,
            say=_say,
        )
    before = f", {counts['before']} of them from before" if counts["before"] else ""
    there = counts["made"] + counts["before"]
    print(f"{count(there, 'profile')} in {options.output}{before}", file=sys.stderr)
    if counts["failed"]:
        print(f"not turned: {count(counts['failed'], 'face')}", file=sys.stderr)
        return SOME_FAILED
    return DONE


def _opened(paths: list[Path], only: Path | None, without: Path | None) -> "Source":
    from amesh.data.sources.problems import Problems
    from amesh.data.sources.shards import ShardSource
    from amesh.data.sources.subset import Joined, listed

    return listed(Joined([ShardSource(path, Problems()) for path in paths]), only, without)


def _reasons(left_out: Counter[str]) -> str:
    return "".join(f"; {why}: {number}" for why, number in sorted(left_out.items()))


def _sheet(
    path: Path,
    source: "Source",
    numbers: list[int],
    fitter: "HeadFitter",
    config: ProfileConfig,
    number: int,
    seed: int,
) -> None:
    from amesh.cli.sheet import Tile, write_sheet
    from amesh.profiling.write import pictures

    if not numbers:
        raise UserError(f"{source.name}: no face in it that could be turned to the side")
    found = pictures(source, numbers, fitter, config, number, seed, _say)
    tiles = [Tile(*face) for face in found]
    if not tiles:
        raise UserError(f"{source.name}: none of these faces could be turned to the side")
    write_sheet(path, tiles, _TILE)
    print(f"{count(len(tiles), 'profile')} on {path}; hidden landmarks are red", file=sys.stderr)


def _say(line: str) -> None:
    from tqdm import tqdm

    tqdm.write(f"amesh: {line}", file=sys.stderr)
