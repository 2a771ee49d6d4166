"""The streams of `amesh run`: where they go, and how the faces are measured for them."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from amesh.cli.options import open_face_mesh
from amesh.cli.tally import Tally
from amesh.errors import UserError
from amesh.streaming.protocols import PROTOCOLS

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

    from amesh.pipeline.inputs import Input
    from amesh.streaming.streams import Streams
    from amesh.streaming.targets import Target

_PROTOCOLS = "\n".join(
    f"  {f'{name}://HOST:PORT':<26}{row.about}"
    + (f"; port {row.port} if left out" if row.port else "")
    for name, row in PROTOCOLS.items()
)
DETAILS = f"""
--stream sends each frame of a video or camera as soon as it is tracked: the head's pose, the gaze,
and 52 blendshapes. It may be given several times (docs/effects.md):

{_PROTOCOLS}
  jsonl:- or jsonl:FILE     all faces and their landmarks, a line of JSON a frame

HOST is 127.0.0.1 if left out. Unless there are only lines of JSON, a file plays at its own pace. A
receiver that is too slow loses frames; the command never waits for it.
"""
_RECORDS = (".jsonl", ".ndjson")


def add_stream(parser: argparse.ArgumentParser) -> None:
    """Adds `--stream` and the options that need it."""
    parser.add_argument(
        "--stream",
        action="append",
        default=[],
        metavar="TARGET",
        help="send each frame of a video or camera to a puppet program, or as JSON (see above)",
    )
    parser.add_argument(
        "--mirror",
        action="store_true",
        help="in streams, exchange left and right, as in a mirror",
    )
    parser.add_argument(
        "--neutral",
        type=Path,
        metavar="FILE",
        help="in streams, the face at rest, which gets blendshapes of 0: a picture, or records of "
        "this command (.jsonl)",
    )


def check_stream(options: argparse.Namespace, inputs: "Sequence[Input]") -> "tuple[Target, ...]":
    """The targets, checked before anything is opened.

    Raises:
        UserError: One is wrong, or does not go with the inputs or with other options.
    """
    if not options.stream:
        for name in ("mirror", "neutral"):
            if getattr(options, name):
                raise UserError(f"--{name} says how --stream measures faces; name a target with it")
        return ()
    from amesh.effects.camera import Camera
    from amesh.pipeline.inputs import Picture
    from amesh.streaming.targets import parse_targets

    targets = parse_targets(options.stream)
    picture = next((one for one in inputs if isinstance(one, Picture)), None)
    if picture is not None:
        raise UserError(
            f"--stream sends the frames of videos and cameras; {picture.name} is a picture"
        )
    if options.resume:
        raise UserError("--resume does not go with --stream: what was sent cannot be continued")
    places = {target.place for target in targets}
    if options.output is not None and os.path.realpath(options.output) in places:
        raise UserError(f"--output and --stream both write {options.output}; name another file")
    if options.neutral is not None and os.path.realpath(options.neutral) in places:
        raise UserError(f"--stream would overwrite {options.neutral}; name another file")
    if options.fov is not None:
        Camera.from_fov(1, 1, options.fov)  # refuses what no camera has
    return targets


@contextmanager
def opened_streams(
    options: argparse.Namespace, targets: "Sequence[Target]", tally: Tally
) -> "Iterator[Streams | None]":
    """Opens the targets, if there are any.

    Args:
        options: Of the command.
        targets: From `check_stream`.
        tally: Says at the end whether a video broke off.

    Raises:
        UserError: One cannot be opened, or the face at rest cannot be read or used.
    """
    if not targets:
        yield None
        return
    from amesh.effects.blendshapes import Blendshapes
    from amesh.streaming.lines import BrokenOff
    from amesh.streaming.streams import open_streams

    blendshapes = Blendshapes()
    with (
        suppress(BrokenOff),
        open_streams(targets, blendshapes, _say, options.fov, options.mirror) as streams,
    ):
        if options.neutral is not None:
            faces = _neutral(options)
            try:
                blendshapes.calibrate(faces)
            except UserError as error:
                raise UserError(f"--neutral {options.neutral}: {error}") from None
        yield streams
        if tally.broken:
            raise BrokenOff


def _neutral(options: argparse.Namespace) -> "Float[np.ndarray, 'b 478 d']":
    """The landmarks of the largest face of a picture, or of the first one in each record."""
    import numpy as np

    path: Path = options.neutral
    if path.suffix.lower() in _RECORDS:
        from amesh.pipeline.results import read_jsonl

        records = [record["faces"][0] for record in read_jsonl(path) if record.get("faces")]
        faces = [np.array(face["landmarks"]) for face in records]
    else:
        from amesh.pipeline.images import read_image

        found = open_face_mesh(options)(read_image(path, options.max_pixels))
        found = sorted(found, key=lambda face: np.ptp(face.landmarks[:, 1]))[-1:]
        faces = [face.landmarks for face in found]
    if not faces:
        raise UserError(f"--neutral {path}: no face in it")
    from amesh.effects.landmarks import as_face
    from amesh.topology import load

    try:
        landmarks = np.stack([as_face(one) for one in faces])
    except UserError as error:
        raise UserError(f"--neutral {path}: {error}") from None
    return landmarks[:, load().mirror] * (-1, 1, 1) if options.mirror else landmarks


def _say(text: str) -> None:
    print(f"amesh: {text}", file=sys.stderr)
