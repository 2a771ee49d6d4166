"""`amesh run`."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from amesh.cli.options import add_face_mesh, open_face_mesh
from amesh.cli.parsing import DONE, FAILED, SOME_FAILED, count
from amesh.errors import UserError
from amesh.nn.names import DEFAULT

if TYPE_CHECKING:
    from amesh.pipeline.results import PictureResult

DETAILS = """
Writes one JSON object per picture, a line each: its source, its size, and its faces with their
landmarks in pixels of the picture. They go to the standard output unless --output or --draw is
given. A picture that cannot be read gets an `error`, and the others are processed.
"""

# What --output may be called: it is JSON lines, whatever its name says.
_SUFFIXES = ("", ".jsonl", ".ndjson", ".txt")
# Side of a face over the longer side of the picture. Of 14 group pictures in which `crowd` finds
# at least 3 more faces than `both`, 12 have a face smaller than this, or none; of 54 others, 4.
_SMALL = 0.07


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="a picture or a folder")
    add_face_mesh(parser, DEFAULT, "installed weights by name, or a file")
    parser.add_argument("--output", type=Path, metavar="FILE.jsonl", help="file for the JSON lines")
    parser.add_argument(
        "--draw", type=Path, metavar="DIR|FILE", help="folder, or file, for overlays of the meshes"
    )
    parser.set_defaults(call=_run)


def _run(options: argparse.Namespace) -> int:
    from amesh.pipeline.results import to_line, write_jsonl
    from amesh.pipeline.run import check_outputs, pictures, run_pictures

    if options.output is not None and options.output.suffix.lower() not in _SUFFIXES:
        raise UserError(
            f"--output {options.output}: the records are JSON lines; give a name that ends in "
            ".jsonl (--draw writes pictures)"
        )
    inputs = pictures(options.sources)
    check_outputs(inputs, options.output, options.draw)
    face_mesh = open_face_mesh(options)
    failed = faces = small = 0

    def counted() -> Iterator["PictureResult"]:
        nonlocal failed, faces, small
        for line in run_pictures(face_mesh, inputs, options.draw):
            if "error" in line:
                failed += 1
                print(f"amesh: {line['error']}", file=sys.stderr)
            faces += len(line.get("faces", []))
            small += _may_have_more(line)
            yield line

    if options.output is not None:
        write_jsonl(options.output, counted())
    else:
        for line in counted():
            if options.draw is None:
                print(to_line(line))
    done = len(inputs) - failed
    places = [str(path) for path in (options.output, options.draw) if path is not None]
    where = f": {', '.join(places)}" if places else ""
    print(f"{count(faces, 'face')} in {count(done, 'picture')}{where}", file=sys.stderr)
    if small and options.detector != "crowd" and options.max_faces is None:
        print(
            f"{count(small, 'picture')} with small faces or none: --detector crowd may find more",
            file=sys.stderr,
        )
    if failed:
        return SOME_FAILED if done else FAILED
    return DONE


def _may_have_more(record: "PictureResult") -> bool:
    """Whether a picture may have faces that are too small for the default detector."""
    if "faces" not in record or record["size"] is None:
        return False
    sides = [
        max(max(axis) - min(axis) for axis in list(zip(*face["landmarks"], strict=True))[:2])
        for face in record["faces"]
    ]
    return min(sides, default=0.0) < _SMALL * max(record["size"])
