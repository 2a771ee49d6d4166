"""The work of `amesh label`: pictures through the teacher into shards."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from amesh.data.licences import joined
from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.labelled_folder import FaceFigures
from amesh.labelling.ledger import Reason
from amesh.labelling.manifest import Manifest
from amesh.labelling.options import LabelConfig
from amesh.labelling.output import Output, store
from amesh.labelling.sources import Input, Share
from amesh.labelling.teacher import Teacher, TeacherFace
from amesh.labelling.work import Item, Work

# Training refuses labels that reach farther than this out of their picture [face sizes].
_OUTSIDE = 1.0


@dataclass
class Counts:
    """What happened, in this run and, where it says so, before.

    Attributes:
        faces: Labelled now.
        pictures: Pictures and frames that they are in.
        before: Pictures and frames that were done already.
        elsewhere: Pictures of other ranks.
        dropped: Faces that were found now and not kept, by reason.
        skipped: Inputs without labels, by reason; those of earlier runs too.
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
) -> Counts:
    """Labels this rank's share of the inputs.

    Args:
        inputs: All of them, whatever the rank.
        manifest: What is known of them.
        teacher: Labels a picture.
        folder: Takes the shards.
        share: This rank's.
        config: What becomes of the faces.
        say: Told about inputs that cannot be read.

    Raises:
        UserError: The folder cannot be written to, or another process is this rank.
    """
    counts = Counts()
    with Output(folder, share, config.faces_per_shard) as output:

        def skip(key: str, reason: Reason, detail: str = "") -> None:
            output.skipped.add(key, reason, detail)
            counts.skipped[reason] += 1

        work = Work(inputs, share, config.every, folder, config.retry)
        for item in work:
            if item.picture is None:
                say(item.problem)
                skip(item.key, "unreadable", item.problem)
                continue
            faces = teacher(item.picture.pixels)
            size = (item.picture.pixels.shape[1], item.picture.pixels.shape[0])
            problems = [_problem(face, size, config) for face in faces]
            counts.dropped.update(problem for problem in problems if problem)
            kept = [face for face, why in zip(faces, problems, strict=True) if not why]
            if kept:
                known = _with_terms(manifest.of(item.source), teacher)
                output.add(
                    [
                        _entry(item, i, face, teacher.scheme, known, config.cut)
                        for i, face in enumerate(kept)
                    ]
                )
                counts.faces += len(kept)
                counts.pictures += 1
            elif faces:
                skip(item.key, "dropped", ", ".join(sorted(set(filter(None, problems)))))
            else:
                skip(item.key, "no face")
        counts.before, counts.elsewhere = work.before, work.elsewhere
        counts.skipped += work.skipped
    return counts


def _problem(face: TeacherFace, size: tuple[int, int], config: LabelConfig) -> str:
    """Why a face is not kept, or nothing."""
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
    """Labels fall under the terms of the picture, and of the faces that corrected them."""
    terms = [
        term for member in teacher.members if member.correction for term in member.correction.terms
    ]
    return replace(known, licence=joined(known.licence, *terms)) if terms else known


def _entry(
    item: Item, number: int, face: TeacherFace, scheme: str, known: LabelledFace, cut: float
) -> tuple[LabelledFace, FaceFigures]:
    """A face with its labels, and its line beside the shard."""
    assert item.picture is not None
    data, corner = store(item.picture, face.landmarks, cut)
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
