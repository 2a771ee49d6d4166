"""`amesh run`."""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amesh.cli.options import add_face_mesh, add_max_pixels, open_face_mesh
from amesh.cli.parsing import DONE, FAILED, SOME_FAILED, count, positive
from amesh.errors import UserError
from amesh.growing import GrowingFile, growing, is_finished, part_of
from amesh.nn.names import DEFAULT

if TYPE_CHECKING:
    from amesh.pipeline.results import PictureResult
    from amesh.pipeline.run import Overlays, Picture

DETAILS = """
Writes one JSON object per picture, a line each: its source, its size, and its faces with their
landmarks in pixels of the picture. They go to the standard output unless --output or --draw is
given. A picture that cannot be read gets an `error`, and the others are processed.

While the command runs, the lines are in FILE.jsonl.part, and each is safe once it is written.
After an interruption, the same command with --resume does the rest.

An overlay in a folder is named after its picture: the overlay of holiday/a.jpg is
DIR/holiday/a.jpg.png.
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
        "--resume",
        action="store_true",
        help="continue an interrupted run with the same --output: pictures that it finished are "
        "not processed again",
    )
    parser.add_argument(
        "--draw", type=Path, metavar="DIR|FILE", help="folder, or file, for overlays of the meshes"
    )
    parser.add_argument(
        "--scale",
        type=positive,
        default=1,
        metavar="N",
        help="enlarge overlays N times, for finer lines on small pictures",
    )
    add_max_pixels(parser)
    parser.set_defaults(call=_run)


@dataclass
class _Tally:
    """What the summary says.

    Attributes:
        pictures: That have a result, an error included.
        failed: Of these, those with an error.
        faces: In all of them.
        small: Pictures of this run that may have faces too small for the default detector.
    """

    pictures: int = 0
    failed: int = 0
    faces: int = 0
    small: int = 0

    def add(self, error: str | None, faces: int) -> None:
        """Counts a picture."""
        self.pictures += 1
        self.failed += error is not None
        self.faces += faces

    @property
    def code(self) -> int:
        """The exit code."""
        if not self.failed:
            return DONE
        return SOME_FAILED if self.failed < self.pictures else FAILED


def _run(options: argparse.Namespace) -> int:
    from amesh.pipeline.results import to_line
    from amesh.pipeline.run import Overlays, check_outputs, pictures

    output: Path | None = options.output
    if output is not None and output.suffix.lower() not in _SUFFIXES:
        raise UserError(
            f"--output {output}: the records are JSON lines; give a name that ends in .jsonl "
            "(--draw writes pictures)"
        )
    if options.resume and output is None:
        raise UserError("--resume continues the file of --output; name it")
    inputs = pictures(options.sources)
    overlays = None
    if options.draw is not None:
        overlays = Overlays(options.draw, len(inputs) == 1, options.scale)
    check_outputs(inputs, output, overlays)
    tally = _Tally()
    if output is None:
        for result in _results(options, inputs, overlays, tally):
            if overlays is None:
                print(to_line(result), flush=True)  # safe, whatever happens next
    elif options.resume and is_finished(output):
        with output.open("rb") as file:
            rest = _without_done(inputs, file, output, tally)
        if rest:
            raise UserError(
                f"--resume: {output} is finished, without {rest[0].name}; leave out --resume to "
                "write it again, or name another file for the new pictures"
            )
        print(f"amesh: {output} is finished already; nothing to resume", file=sys.stderr)
    else:
        _write(options, inputs, overlays, tally)
    places = [str(path) for path in (output, options.draw) if path is not None]
    where = f": {', '.join(places)}" if places else ""
    done = tally.pictures - tally.failed
    print(f"{count(tally.faces, 'face')} in {count(done, 'picture')}{where}", file=sys.stderr)
    if tally.small and options.detector != "crowd" and options.max_faces is None:
        print(
            f"{count(tally.small, 'picture')} with small faces or none: --detector crowd may find "
            "more",
            file=sys.stderr,
        )
    return tally.code


def _write(
    options: argparse.Namespace,
    inputs: "Sequence[Picture]",
    overlays: "Overlays | None",
    tally: _Tally,
) -> None:
    """Writes the records that are missing from the output file."""
    from amesh.pipeline.results import to_line

    with growing(options.output, _decisive(options), options.resume) as file:
        rest = _without_done(inputs, file.earlier(), part_of(options.output), tally)
        if tally.pictures:
            print(f"amesh: {count(tally.pictures, 'picture')} done before", file=sys.stderr)
        try:
            for result in _results(options, rest, overlays, tally):
                file.add(to_line(result).encode())
        except KeyboardInterrupt:
            _say_how_to_resume(file, tally)
            raise


def _results(
    options: argparse.Namespace,
    inputs: "Sequence[Picture]",
    overlays: "Overlays | None",
    tally: _Tally,
) -> "Iterator[PictureResult]":
    """The results of pictures; tells about errors, and counts."""
    from amesh.pipeline.run import run_pictures

    if not inputs:
        return
    face_mesh = open_face_mesh(options)
    for result in run_pictures(face_mesh, inputs, overlays, options.max_pixels, tally.pictures):
        if "error" in result:
            print(f"amesh: {result['error']}", file=sys.stderr)
        yield result
        tally.add(result.get("error"), len(result.get("faces", ())))
        tally.small += _may_have_more(result)


def _without_done(
    inputs: "Sequence[Picture]", lines: Iterator[bytes], path: Path, tally: _Tally
) -> "Sequence[Picture]":
    """The pictures that have no line yet; the others are counted."""
    from amesh.json_lines import parse
    from amesh.pipeline.results import ResultBrief

    done = Counter[str]()
    for number, line in enumerate(lines, 1):
        brief = parse(line, ResultBrief, f"{path}, line {number}")
        tally.add(brief.error, len(brief.faces or ()))
        done[brief.source] += 1
    if not done:
        return inputs
    rest = []
    for picture in inputs:
        if done[picture.name]:
            done[picture.name] -= 1
        else:
            rest.append(picture)
    return rest


def _decisive(options: argparse.Namespace) -> Mapping[str, Any]:
    """The options that results depend on: an interrupted run is resumed with the same."""
    from amesh.weights import store

    [*_, last] = options.sources
    alone = len(options.sources) == 1 and Path(last).is_dir()
    return {
        # What names in the results are relative to.
        "the folder": os.path.realpath(last if alone else os.curdir),
        "--model": f"{options.model} (SHA-256 {store.file_hash(options.model)[:12]})",
        "--runtime": options.runtime,
        "--detector": options.detector,
        "--max-faces": options.max_faces,
        "--min-score": options.min_score,
        "--max-pixels": options.max_pixels,
        "--draw": None if options.draw is None else os.path.realpath(options.draw),
        "--scale": options.scale,
    }


def _say_how_to_resume(file: GrowingFile, tally: _Tally) -> None:
    if tally.pictures:
        print(
            f"amesh: {count(tally.pictures, 'picture')} done, in {part_of(file.path)}; continue "
            "with --resume",
            file=sys.stderr,
        )


def _may_have_more(record: "PictureResult") -> bool:
    """Whether a picture may have faces that are too small for the default detector."""
    if "faces" not in record or record["size"] is None:
        return False
    sides = [
        max(max(axis) - min(axis) for axis in list(zip(*face["landmarks"], strict=True))[:2])
        for face in record["faces"]
    ]
    return min(sides, default=0.0) < _SMALL * max(record["size"])
