"""`amesh negatives`."""

import argparse
import sys
from pathlib import Path

from amesh.cli.options import DONE, Verbs, add_face_mesh, count, open_face_mesh, positive, verb


def add_negatives(verbs: Verbs) -> None:
    """Adds `negatives`."""
    parser = verb(
        verbs,
        "negatives",
        "find regions without a face, to train the face flag on, or to judge it\n\n"
        "Writes a manifest, which trains beside shards, and which `evaluate --data` takes. A\n"
        "network that is trained on faces alone takes everything for a face.",
    )
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="a picture, or a folder")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FILE.jsonl", help="the manifest"
    )
    parser.add_argument(
        "--per-picture", type=positive, default=1, metavar="N", help="regions of each, at most"
    )
    parser.add_argument("--manifest", type=Path, metavar="FILE.jsonl", help="facts about pictures")
    parser.add_argument(
        "--keep-doubtful",
        action="store_true",
        help="also keep what the network takes for a face: to judge flags, not to teach them",
    )
    add_face_mesh(parser, "released-192", "finds faces to keep away from: weights, or a file")
    parser.set_defaults(call=_negatives)


def _negatives(options: argparse.Namespace) -> int:
    from amesh.labelling.manifest import Manifest, find_manifests
    from amesh.labelling.negatives import write_negatives
    from amesh.labelling.sources import find_inputs

    found = write_negatives(
        find_inputs(options.sources),
        Manifest(find_manifests(options.sources, options.manifest)),
        open_face_mesh(options),
        options.output,
        options.per_picture,
        say=lambda line: print(line, file=sys.stderr),
        doubtful=options.keep_doubtful,
    )
    print(f"{count(found, 'region')} without a face in {options.output}", file=sys.stderr)
    return DONE
