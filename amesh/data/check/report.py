"""The report of `amesh data check`: what it records about each face, and the text."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from amesh.data.check.duplicates import Thumbnail
from amesh.data.licences import releasable

_SHOWN = 20  # lines shown of each kind


@dataclass(frozen=True, eq=False)
class Face:
    """One face of the set.

    Attributes:
        name: Source and key.
        source: Name of its data set.
        split: Its split, or the path of its source if it states none.
        licence: Licence of its picture.
        person: Source and name of the person, if known.
        group: Group of the person, as the source states it.
        scheme: Label scheme of its points; None for a region without a face.
        side: Longer side of the labels' box [px]; NaN without labels.
        outside: Share of its labels outside the picture.
        deep: Whether it has z.
        misfit: Distance of its labels to the posed mean face, relative to their spread; NaN if it
            cannot be computed.
        mirrored: Whether left and right are exchanged: its labels are of a face seen from behind.
        remarks: Points that look missing or misplaced, one line each.
        fraction: Fractional part of nearly all its coordinates if that is 0 or 0.5; NaN otherwise.
        thumb: Thumbnail of its crop.
        place: Index of its source, and its index in there.
    """

    name: str
    source: str
    split: str
    licence: str | None
    person: str | None
    group: str
    scheme: str | None
    side: float
    outside: float
    deep: bool
    misfit: float
    mirrored: bool
    remarks: tuple[str, ...]
    fraction: float
    thumb: Thumbnail
    place: tuple[int, int]


@dataclass
class Report:
    """The results of the check; faces are given by their index.

    Attributes:
        faces: All usable faces.
        problems: One line for each unusable record.
        outliers: Faces whose labels are far from the shape of a face, worst first.
        mirrored: Faces with left and right exchanged.
        copies: Pairs of faces in the same picture.
        leaks: The pairs of `copies` that are in different splits or name different persons.
    """

    faces: list[Face]
    problems: list[str]
    outliers: list[int] = field(default_factory=list)
    mirrored: list[int] = field(default_factory=list)
    copies: list[tuple[int, int]] = field(default_factory=list)
    leaks: list[tuple[int, int]] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing was found that needs attention."""
        return not (self.problems or self.outliers or self.mirrored or self.misplaced or self.leaks)

    @property
    def misplaced(self) -> list[int]:
        """Faces with points that look missing or misplaced."""
        return [number for number, face in enumerate(self.faces) if face.remarks]

    def worth_a_look(self, count: int) -> list[int]:
        """Selects faces for a sheet: at most half suspicious, the others spread over the set."""
        pairs = [number for pair in self.leaks for number in pair]
        suspicious = [*self.mirrored, *self.outliers, *self.misplaced, *pairs]
        odd = list(dict.fromkeys(suspicious))[: count // 2]
        others = [i for i in range(len(self.faces)) if i not in set(odd)]
        room = min(count - len(odd), len(others))
        return odd + [others[i * len(others) // room] for i in range(room)]


def describe(report: Report) -> str:
    """Returns the report as text."""
    faces = report.faces
    labelled = [face for face in faces if face.scheme is not None]
    lines = [
        f"{len(faces)} usable records: {len(labelled)} labelled faces, "
        f"{len(faces) - len(labelled)} regions without a face",
        _counts("sources", (face.source for face in faces)),
        _counts("splits", (face.split for face in faces)),
        _counts("schemes", (face.scheme for face in labelled)),
        _counts("groups", (face.group or "not stated" for face in faces)),
        _persons(faces),
        "",
        *_coordinates(labelled),
        "",
        _counts("licences", (face.licence or "NOT STATED" for face in faces)),
        *_licences(faces),
        "",
        f"cannot be used: {len(report.problems)}",
        *_some(report.problems),
        f"left and right exchanged: {len(report.mirrored)}",
        *_some([faces[i].name for i in report.mirrored]),
        f"labels far from the shape of a face: {len(report.outliers)}",
        *_some([f"{faces[i].name} (misfit {faces[i].misfit:.3f})" for i in report.outliers]),
        f"points that look missing or misplaced: {len(report.misplaced)}",
        *_some([f"{faces[i].name}: {'; '.join(faces[i].remarks)}" for i in report.misplaced]),
        f"pairs of the same picture: {len(report.copies)}, across splits or persons: "
        f"{len(report.leaks)}",
        *_some([_pair(faces[i], faces[k]) for i, k in report.leaks]),
    ]
    return "\n".join(lines) + "\n"


def _persons(faces: list[Face]) -> str:
    known = {face.person for face in faces if face.person is not None}
    named = sum(face.person is not None for face in faces)
    shared = {
        person
        for person in known
        if len({face.split for face in faces if face.person == person}) > 1
    }
    text = f"persons: {len(known)} in {named} records, unknown in {len(faces) - named}"
    return text + (f"; IN SEVERAL SPLITS: {', '.join(sorted(shared)[:5])}" if shared else "")


def _coordinates(labelled: list[Face]) -> list[str]:
    if not labelled:
        return ["coordinates: no labels"]
    sides = np.percentile([face.side for face in labelled], [0, 50, 100])
    misfits = np.array([face.misfit for face in labelled])
    lines = [
        "labels' box [px]: smallest {:.0f}, median {:.0f}, largest {:.0f}".format(*sides),
        f"with depth: {sum(face.deep for face in labelled)}",
        f"partly outside their picture: {sum(face.outside > 0 for face in labelled)}",
    ]
    if np.isfinite(misfits).any():
        lines.append(f"misfit to the mean face, median: {np.nanmedian(misfits):.3f} of the box")
    for value, hint in (
        (0.0, "at pixel corners: are they pixel indices that should be read as 'index'?"),
        (0.5, "at pixel centres: the labels are rounded to whole pixels"),
    ):
        share = float(np.mean([face.fraction == value for face in labelled]))
        if share > 0:
            lines.append(f"the coordinates of {share:.0%} of the faces are {hint}")
    return lines


def _licences(faces: list[Face]) -> list[str]:
    closed = Counter(f.licence or "not stated" for f in faces if not releasable(f.licence))
    return [
        f"  {number} under {name!r}: do not release weights trained on them unless this licence "
        "permits it"
        for name, number in closed.most_common()
    ]


def _pair(one: Face, two: Face) -> str:
    def name(face: Face) -> str:
        person = f", person {face.person}" if face.person else ""
        return f"{face.name} ({face.split}{person})"

    return f"{name(one)} = {name(two)}"


def _counts(title: str, values: Iterable[object]) -> str:
    counts = Counter(map(str, values)).most_common()
    shown = ", ".join(f"{value} {number}" for value, number in counts[:12])
    more = f", and {len(counts) - 12} more" if len(counts) > 12 else ""
    return f"{title}: {shown or 'none'}{more}"


def _some(lines: list[str]) -> list[str]:
    more = [f"  ... and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return [f"  {line}" for line in lines[:_SHOWN]] + more
