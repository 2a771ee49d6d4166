"""`amesh label`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from amesh.cli.fields import add_fields, from_options
from amesh.cli.options import add_face_mesh, add_workers, open_face_mesh, workers
from amesh.cli.parsing import DONE, FAILED, SOME_FAILED, count, positive
from amesh.deploy import formats
from amesh.errors import UserError
from amesh.labelling.options import LabelConfig

if TYPE_CHECKING:
    from amesh.data.correction import Correction
    from amesh.labelling.run import Counts

DETAILS = """
Finds the faces in pictures and videos, runs the network on several views of each (shifted, scaled,
rotated, mirrored), and writes shards to train on: the mean landmarks, and weights from how much
the views disagree. Beside the shards are labels.json (networks, rules, and figures by source),
faces-....jsonl (confidence and disagreement of each face) and skipped-....jsonl (inputs without a
usable face, and why).

The same command again resumes where it was interrupted; nothing is labelled twice. All labels of a
folder come from the same networks and rules: the filters, --cut, --detector and --max-faces.
Several processes share the work if each has its own --rank, or if torchrun or srun starts them; a
single process does all of it. Each of them uses all cores: where several share a machine, divide
the cores among them by --workers.

A picture is stored in a shard as its file is, once for each face. If it is much larger than the
face (--cut), only the part around the face is stored, as a JPEG of quality 95. Video frames are
always stored so.

What is known about the pictures comes from a manifest.jsonl in the folder, or beside it: lines
with `image` (a path, relative to the manifest) and any of source, licence, group, person, split
and generated. Without one, the source is the folder's name and the licence is not stated.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument(
        "sources", nargs="+", metavar="SOURCE", help="a picture, a video, or a folder of them"
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder for the shards"
    )
    add_face_mesh(
        parser, "released-192", "network that labels: installed weights by name, or a file"
    )
    parser.add_argument(
        "--views",
        type=int,
        default=8,
        choices=[8, 16, 32],
        help="views of each face, and as many closer ones of its eyes",
    )
    parser.add_argument(
        "--ensemble",
        action="append",
        default=[],
        metavar="MODEL[,PART=WEIGHT]...",
        help="another network that labels the faces found; labels, confidence and disagreement "
        "are those of all networks together; may be repeated. Its weight relative to --model is 1, "
        "or as given for parts of the face (such as iris=0, nose=2), as a factor for faces turned "
        "far to the side (turned=2), and for the confidence (flag=0)",
    )
    parser.add_argument(
        "--correction",
        action="append",
        default=[],
        type=Path,
        metavar="FILE.json",
        help="subtract the systematic errors that `amesh correct` measured of a network; may be "
        "repeated, once for each network",
    )
    add_fields(
        parser,
        LabelConfig,
        skip=["min_score"],  # an option of the pipeline, too
        min_face={"metavar": "PX"},
        max_disagreement={"metavar": "D"},
        cut={"metavar": "K"},
    )
    parser.add_argument(
        "--manifest",
        type=Path,
        metavar="FILE.jsonl",
        help="what is known about the pictures (default: manifest.jsonl in or beside the folder)",
    )
    parser.add_argument(
        "--licence", metavar="TEXT", help="licence of pictures whose manifest does not state one"
    )
    add_workers(parser)
    parser.add_argument("--rank", type=int, metavar="R", help="number of this process, from 0")
    parser.add_argument("--ranks", type=positive, metavar="N", help="number of processes")
    parser.set_defaults(call=_label)


def _label(options: argparse.Namespace) -> int:
    from amesh.face_mesh import open_runner
    from amesh.labelling.manifest import Manifest, find_manifests
    from amesh.labelling.run import label
    from amesh.labelling.sources import find_inputs, find_share
    from amesh.labelling.summary import claim, describe_teacher, summarise
    from amesh.labelling.teacher import Member, Teacher
    from amesh.labelling.views import ViewConfig
    from amesh.labelling.vote import parse_member

    formats.require_runtime(options.runtime)
    share = find_share(options.rank, options.ranks)
    inputs = find_inputs(options.sources)
    manifest = Manifest(find_manifests(options.sources, options.manifest), options.licence)
    config = from_options(LabelConfig, options)
    members = [parse_member(words) for words in options.ensemble]
    models = [options.model, *(model for model, _ in members)]
    corrections = _corrections(options.correction, models)
    more = [
        Member(
            open_runner(
                model, formats.runtime_among(model, models, options.runtime), options.threads
            ),
            correction,
            vote,
        )
        for (model, vote), correction in zip(members, corrections[1:], strict=True)
    ]
    views = ViewConfig(count=options.views)
    teacher = Teacher(open_face_mesh(options), views, corrections[0], more)
    about = describe_teacher(models, teacher)
    rules = {**config.rules, "detector": options.detector, "max_faces": options.max_faces}
    claim(options.output, about, rules)
    if share.ranks > 1:
        _say(f"rank {share.rank} of {share.ranks}: labelling its share of the pictures")
    if manifest.files and (missing := manifest.lacks(inputs)):
        _say(f"{count(missing, 'input')} of {len(inputs)} not in {manifest.files[0]}")
    try:
        counts = label(
            inputs, manifest, teacher, options.output, share, config, _say, workers(options)
        )
    finally:  # after Ctrl-C, too
        total = summarise(options.output, about, rules)["faces"]
    _report(counts, total, options.output)
    unreadable = counts.skipped["unreadable"]
    if not unreadable:
        return DONE
    others = sum(counts.skipped.values()) - unreadable
    return SOME_FAILED if counts.pictures + counts.before + others else FAILED


def _corrections(files: Sequence[Path], models: Sequence[str]) -> "list[Correction | None]":
    """The correction of each network, found by the weights that it was measured on."""
    from amesh.data.correction import load_correction
    from amesh.weights import store

    digests = [store.file_hash(model) for model in models]
    if len(set(digests)) < len(digests):
        raise UserError("--ensemble: the same network twice, which would only count double")
    found: list[Correction | None] = [None] * len(models)
    for file in files:
        correction = load_correction(file)
        about = correction.about
        known = "sha256" in about
        if not known and len(models) > 1:
            raise UserError(f"{file}: does not state which network it was measured on")
        digest = about["sha256"] if known else digests[0]
        if digest not in digests:
            raise UserError(
                f"{file}: measured on other weights ({about.get('network', 'a network')}, SHA-256 "
                f"{digest[:12]}) than this network's ({', '.join(d[:12] for d in digests)}); run "
                f"`amesh correct --model {models[0] if len(models) == 1 else 'MODEL'}`"
            )
        number = digests.index(digest)
        if found[number] is not None:
            raise UserError(f"{file}: a second correction of {models[number]}; give one")
        found[number] = correction
    return found


def _report(counts: "Counts", total: int, folder: Path) -> None:
    parts = [f"{count(counts.faces, 'face')} in {count(counts.pictures, 'picture')}"]
    if counts.before:
        parts.append(f"done before: {count(counts.before, 'picture')}")
    parts += [
        f"{why}: {count(number, 'picture')}" for why, number in sorted(counts.skipped.items())
    ]
    parts += [f"left out, {why}: {count(n, 'face')}" for why, n in sorted(counts.dropped.items())]
    if counts.elsewhere:
        parts.append(f"of other ranks: {count(counts.elsewhere, 'picture')}")
    print("; ".join(parts), file=sys.stderr)
    print(f"{count(total, 'face')} in {folder}", file=sys.stderr)


def _say(line: str) -> None:
    from tqdm import tqdm

    tqdm.write(f"amesh: {line}", file=sys.stderr)
