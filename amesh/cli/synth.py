"""`amesh synth`."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from amesh.cli.making import add_making, check_making, in_shards, progress
from amesh.cli.parsing import DONE, count, positive, probability

if TYPE_CHECKING:
    from amesh.synth.faces import SyntheticFaces

DETAILS = """
The faces are rendered from statistics of real faces; no picture of a person is among them.
--output writes shards to train on. The same command again resumes where it was interrupted, and
several processes share the work if each has its own --rank. --sheet draws some of the faces, each
with its landmarks beside it. Face number i of a seed is the same on every machine.
"""
_ON_SHEET = 24


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    add_making(parser, "faces", _ON_SHEET)
    parser.add_argument(
        "--size", type=positive, default=256, metavar="PX", help="side of the pictures"
    )
    parser.add_argument(
        "--lids",
        type=probability,
        default=0.0,
        metavar="P",
        help="probability of eyes closed to any degree, winks and squints; without, 6%% are closed",
    )
    parser.add_argument(
        "--lips",
        type=probability,
        default=0.0,
        metavar="P",
        help="probability of a mouth that is pursed, rolled, wide open or otherwise extreme",
    )
    parser.add_argument(
        "--behind",
        type=probability,
        default=0.0,
        metavar="P",
        help="probability of a head seen from behind, which teaches the face flag what is no face",
    )
    parser.add_argument(
        "--device",
        default="auto",
        metavar="NAME",
        help="cpu, cuda, cuda:1, ...; auto takes a GPU if there is one",
    )
    parser.set_defaults(call=_synth)


def _synth(options: argparse.Namespace) -> int:
    from amesh import topology
    from amesh.synth.config import SynthConfig
    from amesh.synth.faces import SyntheticFaces
    from amesh.synth.write import write_shards

    check_making(options)
    scheme = topology.load()
    config = SynthConfig(lids=options.lids, lips=options.lips, behind=options.behind)
    faces = SyntheticFaces(scheme, options.size, config).to(_device(options.device))
    if options.sheet is not None:
        _sheet(options.sheet, faces, options.count or _ON_SHEET, options.seed)
    if options.output is None:
        return DONE
    wanted = in_shards(options)
    mine = len(range(options.rank, wanted, options.ranks))
    with progress(options) as done:
        made = write_shards(
            options.output,
            faces,
            scheme,
            wanted,
            options.seed,
            options.rank,
            options.ranks,
            done=done,
        )
    before = f", {mine - made} of them from before" if mine > made else ""
    print(f"{count(mine, 'face')} in {options.output}{before}", file=sys.stderr)
    return DONE


def _sheet(path: Path, faces: "SyntheticFaces", number: int, seed: int) -> None:
    from amesh.cli.sheet import Tile, write_sheet
    from amesh.synth.write import make, pixels

    canvas = make(faces, seed, list(range(number)))
    # Heads seen from behind have no landmarks.
    shown = (canvas.face > 0)[:, None].expand_as(canvas.visibility)
    labels = zip(canvas.landmarks.numpy(), canvas.visibility.numpy(), shown.numpy(), strict=True)
    marked = ((points[own], seen[own]) for points, seen, own in labels)
    tiles = (Tile(picture, *one) for picture, one in zip(pixels(canvas), marked, strict=True))
    write_sheet(path, tiles, 2 * faces.size)
    print(f"{count(number, 'face')} on {path}; hidden landmarks are red", file=sys.stderr)


def _device(name: str) -> str:
    """The device of that name.

    Raises:
        UserError: This machine has no such device.
    """
    import torch

    from amesh.errors import UserError

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split("\n")[0]
        raise UserError(f"--device {name}: not available ({reason})") from None
    return name
