"""`amesh run`."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from amesh.cli.options import (
    DONE,
    FAILED,
    MODEL,
    SOME_FAILED,
    Verbs,
    add_face_mesh,
    count,
    open_face_mesh,
    verb,
)

if TYPE_CHECKING:
    from amesh.pipeline.records import Record


def add_run(verbs: Verbs) -> None:
    """Adds `run`."""
    parser = verb(
        verbs,
        "run",
        "find faces and their landmarks in pictures\n\n"
        "Writes one JSON object a line, to the standard output where neither --output nor\n"
        "--draw is given: source, size and faces with their landmarks in pixels of the picture.\n"
        "A picture that cannot be read gets an `error`, and the run goes on.",
    )
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="a picture or a folder")
    add_face_mesh(parser, MODEL, "installed weights, or a file")
    parser.add_argument("--output", type=Path, metavar="FILE.jsonl", help="records go here")
    parser.add_argument("--draw", type=Path, metavar="DIR|FILE", help="overlays go here")
    parser.set_defaults(call=_run)


def _run(options: argparse.Namespace) -> int:
    from amesh.pipeline.records import to_line, write_jsonl
    from amesh.pipeline.run import check_outputs, pictures, run_pictures

    inputs = pictures(options.sources)
    check_outputs(inputs, options.output, options.draw)
    face_mesh = open_face_mesh(options)
    failed = faces = 0

    def counted() -> Iterator["Record"]:
        nonlocal failed, faces
        for line in run_pictures(face_mesh, inputs, options.draw):
            if "error" in line:
                failed += 1
                print(f"amesh: {line['error']}", file=sys.stderr)
            faces += len(line.get("faces", []))
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
    if failed:
        return SOME_FAILED if done else FAILED
    return DONE
