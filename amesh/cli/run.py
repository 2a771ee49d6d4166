"""`amesh run`."""

import argparse
import os
import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amesh.cli.options import (
    add_face_mesh,
    add_max_pixels,
    add_tracker,
    add_workers,
    open_face_mesh,
    open_tracker,
    workers,
)
from amesh.cli.parsing import count, positive
from amesh.cli.resuming import add_resume, face_mesh_choices, say_finished, say_how_to_resume
from amesh.cli.run_stream import DETAILS as STREAM_DETAILS
from amesh.cli.run_stream import add_stream, check_stream, opened_streams
from amesh.cli.run_video import video_results
from amesh.cli.tally import Remaining, Tally, may_have_more, remaining
from amesh.errors import UserError
from amesh.growing import growing, is_finished, part_of
from amesh.nn.names import DEFAULT
from amesh.pipeline.effect_names import EFFECTS

if TYPE_CHECKING:
    from amesh.pipeline.inputs import Input
    from amesh.pipeline.overlays import Overlays
    from amesh.pipeline.results import PictureResult
    from amesh.streaming.streams import Streams

_EFFECTS = "\n".join(f"  {name + row.usage:<32}{row.about}" for name, row in EFFECTS.items())
DETAILS = f"""
Takes pictures, folders, videos, one camera (cam:0 is the first) or one address of a stream, such as
rtsp://host/door. A folder stands for its pictures, or for its videos if it holds no picture.

Writes one JSON object per picture or frame, a line each: its source, its size, and its faces with
their landmarks in pixels of the picture, and the confidence in each landmark if the network has it;
for frames, also their number and time, and a face keeps its id as long as it is followed. They go
to the standard output unless --output, --draw or --stream is given. A picture or video that cannot
be read gets an `error`, and the others are processed.

While the command runs, the lines are in FILE.jsonl.part, and each is safe once it is written. After
an interruption, the same command with --resume does the rest; a video that was interrupted is read
from its start again. Ctrl-C is how a camera or a live stream ends: the exit code is 0, and what was
read until then is complete. If this machine is too slow for one, frames are skipped.

An overlay in a folder is named after its source: that of holiday/a.jpg is DIR/holiday/a.jpg.png,
that of clip.mov is DIR/clip.mov.mp4.

--effect draws something else than the mesh; several are joined by commas (docs/effects.md):

{_EFFECTS}

A colour is #b0103a, #fff or a CSS name such as crimson; a strength, 0 to 1: lipstick=crimson:0.8
{STREAM_DETAILS}"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument(
        "sources", nargs="+", metavar="SOURCE", help="picture, folder, video, camera, or address"
    )
    add_face_mesh(parser, DEFAULT, "installed weights by name, or a file", video=True)
    add_tracker(parser)
    parser.add_argument("--output", type=Path, metavar="FILE.jsonl", help="file for the JSON lines")
    add_resume(parser, "pictures and videos")
    parser.add_argument(
        "--draw",
        type=Path,
        metavar="DIR|FILE",
        help="folder, or file, for overlays of the meshes: pictures, or FILE.mp4 for a video",
    )
    parser.add_argument(
        "--effect",
        metavar="NAME[=VALUE],...",
        help="what to draw instead of the mesh, in this order (see above)",
    )
    parser.add_argument(
        "--fov",
        type=float,
        metavar="DEGREES",
        help="what the camera sees from top to bottom, for effects that measure and for streams "
        "(default: what the EXIF data of a picture says, else 63)",
    )
    parser.add_argument(
        "--draw-confidence",
        action="store_true",
        help="in overlays, colour the landmarks by the network's confidence in each: coral for "
        "none, gold for a half, aqua for full",
    )
    parser.add_argument(
        "--scale",
        type=positive,
        default=1,
        metavar="N",
        help="enlarge overlays N times, for finer lines on small pictures",
    )
    add_stream(parser)
    add_max_pixels(parser)
    add_workers(parser)
    parser.set_defaults(call=_run)


def _run(options: argparse.Namespace) -> int:
    from amesh.pipeline.effects import parse_effects
    from amesh.pipeline.inputs import Video, find_inputs
    from amesh.pipeline.overlays import Overlays, check_outputs
    from amesh.pipeline.results import is_name_of_lines, to_line
    from amesh.pipeline.video_file import pyav

    output: Path | None = options.output
    if output == Path("-"):
        raise UserError("--output - would be a file named -; /dev/stdout is the standard output")
    if output is not None and not is_name_of_lines(output):
        raise UserError(
            f"--output {output}: the records are JSON lines; give a name that ends in .jsonl "
            "(--draw writes pictures and video)"
        )
    if options.effect is not None and options.draw is None:
        raise UserError("--effect says what --draw draws; name a folder or a file with --draw")
    if options.fov is not None and options.effect is None and not options.stream:
        raise UserError("--fov is for effects that measure; name one, such as --effect pose")
    if options.resume and output is None:
        raise UserError("--resume continues the file of --output; name it")
    inputs, skipped = find_inputs(options.sources)
    videos = [one for one in inputs if isinstance(one, Video)]
    if options.resume and any(one.path is None for one in videos):
        raise UserError(f"--resume: {videos[0].name} cannot be read again; leave out --resume")
    overlays = None
    if options.draw is not None:
        effects = parse_effects(options.effect) if options.effect is not None else ()
        alone = len(inputs) == 1
        overlays = Overlays(
            options.draw, alone, options.scale, effects, options.fov, options.draw_confidence
        )
    elif options.draw_confidence:
        raise UserError("--draw-confidence says how overlays look; name their folder with --draw")
    check_outputs(inputs, output, overlays)
    targets = check_stream(options, inputs)
    if any(one.path for one in videos):
        pyav()  # before the networks are loaded
    for line in skipped:
        print(f"amesh: {line}", file=sys.stderr)
    tally = Tally({one.name for one in videos})
    if output is None:
        left = Remaining(inputs, {})
        with (
            opened_streams(options, targets, tally) as streams,
            closing(_results(options, left, overlays, streams, tally)) as results,
        ):
            for result in results:
                if overlays is None and streams is None:
                    print(to_line(result), flush=True)  # safe, whatever happens next
    elif options.resume and is_finished(output):
        with output.open("rb") as file:
            missing = remaining(inputs, file, output, tally, whole=True).inputs
        if missing:
            raise UserError(
                f"--resume: {output} is finished, without {missing[0].name}; leave out --resume to "
                "write it again, or name another file for the new inputs"
            )
        say_finished(output)
    else:
        with opened_streams(options, targets, tally) as streams:
            _write(options, inputs, overlays, streams, tally)
    places = [str(path) for path in (output, options.draw) if path is not None]
    places += [target.name for target in targets]
    print(f"{tally}: {', '.join(places)}" if places else tally, file=sys.stderr)
    if tally.small and options.detector != "crowd" and options.max_faces is None:
        print(
            f"{count(tally.small, 'picture')} with small faces or none: --detector crowd may find "
            "more",
            file=sys.stderr,
        )
    return tally.code


def _write(
    options: argparse.Namespace,
    inputs: "Sequence[Input]",
    overlays: "Overlays | None",
    streams: "Streams | None",
    tally: Tally,
) -> None:
    """Writes the records that are missing from the output file."""
    from amesh.pipeline.results import to_line

    with growing(options.output, _decisive(options), options.resume) as file:
        left = remaining(inputs, file.earlier(), part_of(options.output), tally)
        if tally.done:
            print(f"amesh: {tally.done} done before", file=sys.stderr)
        try:
            with closing(_results(options, left, overlays, streams, tally)) as results:
                for result in results:
                    file.add(to_line(result).encode())
        except KeyboardInterrupt:
            if tally.done:
                say_how_to_resume(file.path, tally.done)
            raise


def _results(
    options: argparse.Namespace,
    left: Remaining,
    overlays: "Overlays | None",
    streams: "Streams | None",
    tally: Tally,
) -> "Generator[PictureResult, None, None]":
    """The results of pictures and videos; tells about errors, and counts."""
    for result in _all_results(options, left, overlays, streams, tally):
        if "error" in result:
            print(f"amesh: {result['error']}", file=sys.stderr)
        yield result
        ids = [face["id"] for face in result.get("faces", ())]
        tally.add(result["source"], result.get("error"), ids)
        tally.small += result["source"] not in tally.videos and may_have_more(result)


def _all_results(
    options: argparse.Namespace,
    left: Remaining,
    overlays: "Overlays | None",
    streams: "Streams | None",
    tally: Tally,
) -> "Iterator[PictureResult]":
    """Runs on pictures and videos; each kind of network is opened when it is first needed."""
    from amesh.pipeline.inputs import Picture, Video
    from amesh.pipeline.run import run_pictures

    face_mesh, new_tracker = None, None
    for kind, group in groupby(left.inputs, type):
        if kind is Picture:
            pictures = [one for one in group if isinstance(one, Picture)]
            face_mesh = face_mesh or open_face_mesh(options)
            if overlays is not None:
                overlays.check(face_mesh.runner)
            yield from run_pictures(
                face_mesh, pictures, overlays, options.max_pixels, tally.pictures, workers(options)
            )
            continue
        for video in group:
            assert isinstance(video, Video)
            new_tracker = new_tracker or open_tracker(options)
            tracker = new_tracker()
            if overlays is not None:
                overlays.check(tracker.pipeline.runner)
            results = video_results(tracker, video, overlays, streams)
            yield from islice(results, left.written.get(video.name, 0), None)


def _decisive(options: argparse.Namespace) -> Mapping[str, Any]:
    """The options that results depend on: an interrupted run is resumed with the same."""
    [*_, last] = options.sources
    alone = len(options.sources) == 1 and Path(last).is_dir()
    return {
        # What names in the results are relative to.
        "the folder": os.path.realpath(last if alone else os.curdir),
        **face_mesh_choices(options),
        "--max-pixels": options.max_pixels,
        "--draw": None if options.draw is None else os.path.realpath(options.draw),
        "--draw-confidence": options.draw_confidence,
        "--scale": options.scale,
        "--effect": options.effect,
        "--fov": options.fov,
        "--detect-every": options.detect_every,
        "--smoothing": options.smoothing,
    }
