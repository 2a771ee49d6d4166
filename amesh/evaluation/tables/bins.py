"""Errors by pose, eyes, mouth and group of persons."""

from collections.abc import Collection
from dataclasses import dataclass

from amesh.evaluation.evaluated import Evaluated
from amesh.evaluation.labels.groups import Group, eye_bins, mouth_bins, person_groups, yaw_bins
from amesh.evaluation.labels.label_schemes import label_scheme
from amesh.evaluation.table import Table
from amesh.evaluation.tables.errors import Row, error_rows, error_section

_NOTE = """\
The bins are defined by the labels alone, never by a prediction. Yaw is the one that the label
states; otherwise it is taken from the mean face fitted to the labelled points (in 3-D where they
have a depth). Eyes: mean height over width between the labelled lids of the more closed eye; below
0.06 closed, below 0.14 narrow. Without depth in the labels, a turned head makes eyes look wider.
Mouth: the same ratio between the lips; below 0.03 closed. Groups: as stated by the source."""


@dataclass(frozen=True)
class Bins:
    """Errors by bin.

    Attributes:
        crops: Where the networks' crops came from.
        faces: Number of labelled faces.
        yaw_estimated: How many of them have a yaw that is estimated from the labelled points.
        rows: By what the bins are about: `Pose`, `Eyes`, `Mouth` and `Groups`.
    """

    crops: str
    faces: int
    yaw_estimated: int
    rows: dict[str, list[Row]]


def compute_bins(evaluated: Evaluated) -> Bins | None:
    """Errors in the labels' crops if networks were run there, else of the full pipeline.

    In the labels' crops, because the detector's misses would hide what the network does.
    """
    scores = evaluated.in_roi or evaluated.full
    if not scores:
        return None
    labels, attributes = evaluated.labels, evaluated.attributes
    bins = {
        "Pose": (yaw_bins(labels, attributes), ("All", "Lips", "Eyes")),
        "Eyes": (eye_bins(labels, attributes), ("All", "Eyes")),
        "Mouth": (mouth_bins(labels, attributes), ("All", "Lips")),
        "Groups": (person_groups(labels), ("All", "Lips", "Eyes")),
    }
    comparison = evaluated.comparison(scores)

    def rows(group: Group, columns: Collection[str]) -> list[Row]:
        measures = _measures(evaluated, group, columns)
        return error_rows(labels, scores, [group], comparison, measures)

    return Bins(
        crops="region of interest taken from the labels" if evaluated.in_roi else "full pipeline",
        faces=len(labels),
        yaw_estimated=int(attributes.estimated.sum()),
        rows={
            title: [row for group in groups for row in rows(group, columns)]
            for title, (groups, columns) in bins.items()
        },
    )


def bins_section(bins: Bins) -> str:
    """A table for each kind of bin."""
    blocks = [
        f"Crops: {bins.crops}. The yaw of {bins.yaw_estimated} of {bins.faces} faces is estimated."
    ]
    for title, rows in bins.rows.items():
        blocks += [f"### {title}", error_section(rows)] if rows else []
    return "\n\n".join(blocks)


def _measures(evaluated: Evaluated, group: Group, columns: Collection[str]) -> set[str]:
    """The measures that stand for columns of the paper in the schemes of a group's labels."""
    schemes = {evaluated.labels[i].scheme for i in group.members}
    found = [label_scheme(name, evaluated.topology).columns for name in schemes if name is not None]
    return {known[column] for known in found for column in columns if column in known}


BINS = Table(
    key="bins",
    title="Pose, eyes, mouth and groups: error [%]",
    note=_NOTE,
    compute=compute_bins,
    section=bins_section,
)
