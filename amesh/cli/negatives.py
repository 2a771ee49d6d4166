"""`amesh negatives`."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from amesh.cli.options import add_face_mesh, add_workers, open_face_mesh, workers
from amesh.cli.parsing import DONE, count, positive
from amesh.cli.resuming import (
    add_resume,
    face_mesh_choices,
    named_model,
    say_finished,
    say_how_to_resume,
)
from amesh.growing import growing, is_finished

if TYPE_CHECKING:
    from amesh.face_mesh import FaceMesh

DETAILS = """
Writes a manifest of regions, to train on together with shards, or to pass to `amesh evaluate
--data`. A network trained on faces alone takes everything for a face. Where the pictures are not in
the manifest's folder or below, reading it takes --outside (`outside: true` in a config).

--hard keeps the regions that a network nearly takes for a face and that --model and all networks of
--refused-by deny to be one. --faceless searches pictures that show no face at all: animals,
drawings and the like.

While the command runs, the lines are in FILE.jsonl.part, and each is safe once it is written.
After an interruption, the same command with --resume does the rest; a finished file stays as it is.
Without --resume, it is written again.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="a picture or a folder")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FILE.jsonl", help="manifest to write"
    )
    add_resume(parser, "pictures")
    parser.add_argument(
        "--per-picture", type=positive, default=1, metavar="N", help="at most N regions per picture"
    )
    parser.add_argument(
        "--manifest",
        type=Path,
        metavar="FILE.jsonl",
        help="what is known about the pictures: source, licence, person, ...",
    )
    parser.add_argument(
        "--keep-doubtful",
        action="store_true",
        help="also keep regions that the network takes for a face: to evaluate the face flag, not "
        "to train it",
    )
    parser.add_argument(
        "--hard",
        metavar="MODEL",
        help="keep the regions that this network is nearest to taking for a face: also those that "
        "show a face much too small, too large or cut off",
    )
    parser.add_argument(
        "--refused-by",
        nargs="+",
        default=(),
        metavar="MODEL",
        help="with --hard: further networks that have to refuse a region",
    )
    parser.add_argument(
        "--faceless",
        action="store_true",
        help="no picture shows a face (animals, drawings, ...): what detectors find in them is "
        "none, and comes first",
    )
    add_face_mesh(
        parser,
        "released-192",
        "network that finds the faces to avoid, and refuses regions: installed weights or a file",
    )
    add_workers(parser)
    parser.set_defaults(call=_negatives)


def _negatives(options: argparse.Namespace) -> int:
    if options.resume and is_finished(options.output):
        say_finished(options.output)
        return DONE
    from amesh.labelling.manifest import Manifest, find_manifests
    from amesh.labelling.negatives import Search, write_negatives
    from amesh.labelling.sources import find_inputs

    decisive = {
        **face_mesh_choices(options),
        "--per-picture": options.per_picture,
        "--keep-doubtful": options.keep_doubtful,
        "--hard": options.hard and named_model(options.hard),
        "--refused-by": ", ".join(map(named_model, options.refused_by)),
        "--faceless": options.faceless,
    }

    def another(model: str) -> "FaceMesh":
        return open_face_mesh(argparse.Namespace(**{**vars(options), "model": model}))

    search = Search(
        open_face_mesh(options),
        options.per_picture,
        options.keep_doubtful,
        another(options.hard) if options.hard else None,
        tuple(map(another, options.refused_by)),
        options.faceless,
    )
    with growing(options.output, decisive, options.resume) as file:
        try:
            found = write_negatives(
                find_inputs(options.sources),
                Manifest(find_manifests(options.sources, options.manifest)),
                search,
                file,
                say=lambda line: print(f"amesh: {line}", file=sys.stderr),
                workers=workers(options),
            )
        except KeyboardInterrupt:
            if lines := sum(1 for _ in file.earlier()):
                say_how_to_resume(file.path, count(lines, "region"))
            raise
    print(f"{count(found, 'region')} without a face in {options.output}", file=sys.stderr)
    return DONE
