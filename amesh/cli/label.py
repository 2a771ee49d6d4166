"""`amesh label`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from amesh.cli.options import (
    DONE,
    FAILED,
    SOME_FAILED,
    Verbs,
    add_face_mesh,
    count,
    open_face_mesh,
    positive,
    verb,
)
from amesh.errors import UserError

if TYPE_CHECKING:
    from amesh.data.correction import Correction
    from amesh.labelling.run import Counts

_TEXT = """label faces with a network, to train another one on them

Finds the faces of pictures and videos, looks at each of them several times (shifted, scaled,
turned, mirrored), and writes shards to train on: the landmarks' mean, and weights from how far
the looks disagree. Beside the shards: labels.json (what labelled them, by which rules, and figures
by source), faces-....jsonl (score and disagreement of each face) and skipped-....jsonl (inputs
without a usable face, and why).

The same command again goes on where it was stopped; nothing is labelled twice. A folder takes one
teacher and one set of rules: the filters, --cut, --detector and --max-faces. Several processes
share the work when each has a --rank, or is started by torchrun or by srun; a batch script's one
process does all of it.

A picture goes into a shard as its file is, once for each face. Where it is much larger than the
face (--cut), only the part around the face goes in, as a JPEG of quality 95. Video frames, and
pictures that training cannot read, such as 16-bit ones, are always stored as such JPEGs.

What is known of the pictures comes from a manifest.jsonl in the folder, or beside it: lines with
`image` (a path, relative to the manifest) and any of source, licence, group, person, split and
generated. Without one, the source is the folder's name and the licence is not stated."""


def add_label(verbs: Verbs) -> None:
    """Adds `label`."""
    parser = verb(verbs, "label", _TEXT)
    parser.add_argument(
        "sources", nargs="+", metavar="SOURCE", help="a picture, a video, or a folder of them"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="shards go here")
    add_face_mesh(parser, "released-192", "the teacher: installed weights, or a file")
    parser.add_argument(
        "--views",
        type=int,
        default=8,
        choices=[8, 16, 32],
        help="looks at each face, and as many closer ones at its eyes",
    )
    parser.add_argument(
        "--ensemble",
        action="append",
        default=[],
        metavar="MODEL",
        help="another network, which looks at each face that the first one finds, as often as "
        "that; labels are the mean over all, score and disagreement go over all; may be repeated",
    )
    parser.add_argument(
        "--correction",
        action="append",
        default=[],
        type=Path,
        metavar="FILE.json",
        help="of the habits of the network that it was measured on, by `amesh correct`, on faces "
        "that people labelled; may be repeated, one for each network",
    )
    _add_filters(parser)
    parser.add_argument(
        "--every", type=positive, default=10, metavar="N", help="each Nth frame of a video"
    )
    parser.add_argument(
        "--cut",
        type=_amount,
        default=4.0,
        metavar="K",
        help="a picture whose longer side is above K faces is cut to K faces around each; the "
        "widest augmentation of training reaches 3.5; 0 never cuts",
    )
    parser.add_argument(
        "--manifest", type=Path, metavar="FILE.jsonl", help="facts about the pictures"
    )
    parser.add_argument(
        "--licence", metavar="TEXT", help="terms of the pictures whose manifest does not say"
    )
    parser.add_argument(
        "--faces-per-shard", type=positive, default=1000, metavar="N", help="about so many"
    )
    parser.add_argument("--rank", type=int, metavar="R", help="this process, from 0")
    parser.add_argument("--ranks", type=positive, metavar="N", help="how many there are")
    parser.add_argument(
        "--retry", action="store_true", help="try again what gave no face in earlier runs"
    )
    parser.set_defaults(call=_label)


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--min-face",
        type=_amount,
        default=48.0,
        metavar="PX",
        help="drop smaller faces, by the longer side of the landmarks' box",
    )
    parser.add_argument(
        "--max-disagreement",
        type=_amount,
        default=0.025,
        metavar="D",
        help="drop faces on which the looks disagree more: mean distance over all landmarks, in "
        "sizes of the face",
    )


def _amount(text: str) -> float:
    """A number from 0."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 up")
    return value


def _label(options: argparse.Namespace) -> int:
    from amesh.face_mesh import open_runner
    from amesh.labelling.manifest import Manifest, find_manifests
    from amesh.labelling.run import LabelConfig, label
    from amesh.labelling.sources import find_inputs, find_share
    from amesh.labelling.summary import claim, describe_teacher, summarise
    from amesh.labelling.teacher import Member, Teacher
    from amesh.labelling.views import ViewConfig

    share = find_share(options.rank, options.ranks)
    inputs = find_inputs(options.sources)
    manifest = Manifest(find_manifests(options.sources, options.manifest), options.licence)
    config = LabelConfig(
        faces_per_shard=options.faces_per_shard,
        every=options.every,
        cut=options.cut,
        min_score=options.min_score,
        min_face=options.min_face,
        max_disagreement=options.max_disagreement,
        retry=options.retry,
    )
    models = [options.model, *options.ensemble]
    corrections = _corrections(options.correction, models)
    more = [
        Member(open_runner(model, options.runtime), correction)
        for model, correction in zip(models[1:], corrections[1:], strict=True)
    ]
    views = ViewConfig(count=options.views)
    teacher = Teacher(open_face_mesh(options), views, corrections[0], more)
    about = describe_teacher(models, teacher)
    rules = {**config.rules, "detector": options.detector, "max_faces": options.max_faces}
    claim(options.output, about, rules)
    if share.ranks > 1:
        _say(f"rank {share.rank} of {share.ranks}: labels its share of the pictures")
    if manifest.files and (missing := manifest.lacks(inputs)):
        _say(f"{count(missing, 'input')} of {len(inputs)} not in {manifest.files[0]}")
    try:
        counts = label(inputs, manifest, teacher, options.output, share, config, _say)
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
        raise UserError("--ensemble: the same network twice; it would only count double")
    found: list[Correction | None] = [None] * len(models)
    for file in files:
        correction = load_correction(file)
        about = correction.about
        known = "sha256" in about
        if not known and len(models) > 1:
            raise UserError(f"{file}: does not say on which network it was measured")
        digest = about["sha256"] if known else digests[0]
        if digest not in digests:
            raise UserError(
                f"{file}: measured on other weights ({about.get('network', 'a network')}, SHA-256 "
                f"{digest[:12]}) than the teacher's ({', '.join(d[:12] for d in digests)}); run "
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
