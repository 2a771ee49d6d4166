"""The main loop of `amesh label`: runs the teacher on pictures and writes shards."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from amesh.data.licences import joined
from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.labelled_folder import FaceFigures
from amesh.errors import UserError
from amesh.labelling.ledger import Reason
from amesh.labelling.manifest import Manifest
from amesh.labelling.options import LabelConfig
from amesh.labelling.output import Opened, Output, store
from amesh.labelling.sources import Input, Share
from amesh.labelling.teacher import Teacher, TeacherFace
from amesh.labelling.work import Item, Work
from amesh.pipeline.parallel import in_order
from amesh.pipeline.video_file import pyav

# Training rejects labels that lie farther than this outside their picture [face sizes].
_OUTSIDE = 1.0


@dataclass
class Counts:
    """What this run did, and where stated, earlier runs.

    Attributes:
        faces: Faces labelled in this run.
        pictures: Pictures and frames that contain them.
        before: Pictures and frames that earlier runs completed.
        elsewhere: Pictures assigned to other ranks.
        dropped: Faces found in this run but not kept, by reason.
        skipped: Inputs without labels, by reason, including those of earlier runs.
    """

    faces: int = 0
    pictures: int = 0
    before: int = 0
    elsewhere: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)


def label(
    inputs: Sequence[Input],
    manifest: Manifest,
    teacher: Teacher,
    folder: Path,
    share: Share,
    config: LabelConfig,
    say: Callable[[str], None] = print,
    workers: int = 1,
) -> Counts:
    """Labels this rank's share of the inputs.

    Args:
        inputs: The inputs of all ranks.
        manifest: Their metadata.
        teacher: Labels the faces of a picture.
        folder: Output folder for the shards.
        share: This rank's share.
        config: Which faces to keep, and how to store them.
        say: Receives a message for each input that cannot be read, or only in part.
        workers: Pictures that are labelled at the same time, on a thread each. The labels do not
            depend on it, nor does their order.

    Raises:
        UserError: The folder cannot be written to, another process runs as this rank, or
            there are clips and PyAV is not installed.
    """
    if any(one.video for one in inputs):
        pyav()  # not installed, it would be noted of each clip
    counts = Counts()
    with Output(folder, share, config.faces_per_shard) as output:

        def skip(key: str, reason: Reason, detail: str = "") -> None:
            output.skipped.add(key, reason, detail)
            counts.skipped[reason] += 1

        work = Work(inputs, share, config.every, folder, config.retry, say)
        outcomes = in_order(
            lambda item: _outcome(item, manifest, teacher, config), work, workers, Item.cost
        )
        with closing(outcomes):
            for one in outcomes:
                counts.dropped.update(one.dropped)
                if one.problem:
                    say(one.problem)
                    skip(one.key, "unreadable", one.problem)
                elif one.entries:
                    output.add(one.entries)
                    counts.faces += len(one.entries)
                    counts.pictures += 1
                elif one.dropped:
                    skip(one.key, "dropped", ", ".join(sorted(set(one.dropped))))
                else:
                    skip(one.key, "no face")
        counts.before, counts.elsewhere = work.before, work.elsewhere
        counts.skipped += work.skipped
    return counts


class _Outcome(NamedTuple):
    """What became of a picture or frame.

    Attributes:
        key: Its key.
        entries: The faces that are kept, and their lines in the file next to the shard.
        dropped: Why the others are not, for each.
        problem: Why it cannot be read; empty if it can.
    """

    key: str
    entries: Sequence[tuple[LabelledFace, FaceFigures]] = ()
    dropped: Sequence[str] = ()
    problem: str = ""


def _outcome(item: Item, manifest: Manifest, teacher: Teacher, config: LabelConfig) -> _Outcome:
    """Labels a picture or frame."""
    try:
        picture = item.open()
    except UserError as error:
        return _Outcome(item.key, problem=str(error))
    faces = teacher(picture.pixels)
    size = (picture.pixels.shape[1], picture.pixels.shape[0])
    problems = [_problem(face, size, config) for face in faces]
    kept = [face for face, why in zip(faces, problems, strict=True) if not why]
    known = _with_terms(manifest.of(item.source), teacher)
    entries = [
        _entry(item, picture, i, face, teacher.scheme, known, config.cut)
        for i, face in enumerate(kept)
    ]
    return _Outcome(item.key, entries, [why for why in problems if why])


def _problem(face: TeacherFace, size: tuple[int, int], config: LabelConfig) -> str:
    """Why a face is dropped; empty if it is kept."""
    low, high = face.landmarks[:, :2].min(0), face.landmarks[:, :2].max(0)
    centre, room = (low + high) / 2, _OUTSIDE * face.size
    if face.score < config.min_score:
        return "no face"
    if (centre < 0).any() or (centre > size).any():
        return "outside the picture"
    if (low < -room).any() or (high > np.array(size) + room).any():
        return "outside the picture"
    if face.size < config.min_face:
        return "small"
    return "disagreement" if face.disagreement > config.max_disagreement else ""


def _with_terms(known: LabelledFace, teacher: Teacher) -> LabelledFace:
    """Adds the licences of the corrections' training faces to the picture's own."""
    terms = [
        term for member in teacher.members if member.correction for term in member.correction.terms
    ]
    return replace(known, licence=joined(known.licence, *terms)) if terms else known


def _entry(
    item: Item,
    picture: Opened,
    number: int,
    face: TeacherFace,
    scheme: str,
    known: LabelledFace,
    cut: float,
) -> tuple[LabelledFace, FaceFigures]:
    """Builds a labelled face, and its line in the file next to the shard."""
    data, corner = store(picture, face.landmarks, cut)
    labelled = replace(
        known,
        picture=data,
        key=f"{item.key}:{number}",
        where=str(item.source.path),
        scheme=scheme,
        points=face.landmarks - np.array([*corner, 0], np.float32),
        weight_xy=face.weight_xy,
        weight_z=face.weight_z,
    )
    figures = FaceFigures(
        key=labelled.key,
        score=round(face.score, 4),
        disagreement=round(face.disagreement, 5),
        size=round(face.size, 1),
        source=known.source,
        licence=known.licence,
        generated=known.generated,
    )
    return labelled, figures
