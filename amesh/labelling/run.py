"""The main loop of `amesh label`: runs the teacher on pictures and writes shards."""

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
    item: Item, number: int, face: TeacherFace, scheme: str, known: LabelledFace, cut: float
) -> tuple[LabelledFace, FaceFigures]:
    """Builds a labelled face, and its line in the file next to the shard."""
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
