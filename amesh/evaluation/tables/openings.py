"""How far eyes and mouths are open: labelled and predicted, from closed to wide open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.comparison import Comparison
from amesh.evaluation.evaluated import Evaluated
from amesh.evaluation.labels.groups import Group, main_groups
from amesh.evaluation.labels.label_schemes import label_scheme
from amesh.evaluation.labels.measures import openings
from amesh.evaluation.labels.read import persons
from amesh.evaluation.markdown import interval, table
from amesh.evaluation.scores import Scores
from amesh.evaluation.table import Table
from amesh.metrics.bootstrap import Interval
from amesh.topology.scheme import Topology

_NOTE = """\
Mean height over width of each eye and of the mouth, as seen in the picture: 0 is closed, and an eye
at rest has 0.2 to 0.3. Ranges are those of the labels. A network whose figure is above the labels'
leaves eyes too open. Labels are exact on synthetic faces; human ones are rarely closed."""

# Upper ends of the ranges of labelled openings; the first is closed but for the rounding of labels.
_EYES = (0.01, 0.1, 0.2, np.inf)
_MOUTH = (0.01, 0.2, np.inf)


@dataclass(frozen=True)
class OpeningRow:
    """Openings in one range of labelled ones.

    Attributes:
        group: Name of the group.
        part: `eyes` or `mouth`.
        low: Lower end of the range.
        high: Upper end.
        count: Number of eyes or mouths.
        labelled: Mean labelled opening.
        predicted: Mean predicted one, by the name of the set of predictions.
        error: Mean of the absolute difference, likewise.
    """

    group: str
    part: str
    low: float
    high: float
    count: int
    labelled: float
    predicted: dict[str, Interval]
    error: dict[str, Interval]


def opening_rows(
    labels: Sequence[LabelledFace],
    scores: Mapping[str, Scores],
    groups: Sequence[Group],
    comparison: Comparison,
    topology: Topology,
) -> list[OpeningRow]:
    """Openings by group and range, on the faces that every set of predictions found.

    Args:
        labels: The labelled faces.
        scores: Of each set of predictions.
        groups: Which faces are scored together.
        comparison: The bootstrap.
        topology: Of the predictions.
    """
    people = persons(labels)
    truth = np.array([_labelled(label, topology) for label in labels]).reshape(-1, 3)
    rows = []
    for group in groups:
        for part, columns, ends in (("eyes", [0, 1], _EYES), ("mouth", [2], _MOUTH)):
            real = truth[group.members][:, columns]
            found = {name: one.openings[group.members][:, columns] for name, one in scores.items()}
            known = np.isfinite([real, *found.values()]).all(0)
            who = np.broadcast_to(people[group.members][:, None], real.shape)
            for low, high in zip((-np.inf, *ends[:-1]), ends, strict=True):
                mine = known & (real >= low) & (real < high)
                if not mine.any():
                    continue
                rows.append(
                    OpeningRow(
                        group=group.name,
                        part=part,
                        low=max(low, 0.0),
                        high=high,
                        count=int(mine.sum()),
                        labelled=float(real[mine].mean()),
                        predicted={
                            name: comparison.mean(one[mine], who[mine])
                            for name, one in found.items()
                        },
                        error={
                            name: comparison.mean(np.abs(one - real)[mine], who[mine])
                            for name, one in found.items()
                        },
                    )
                )
    return rows


def opening_section(rows: Sequence[OpeningRow]) -> str:
    """The labelled opening, what each set of predictions has instead, and its mean error."""
    names = list(rows[0].predicted)
    heads = ["group", "part", "range", "number", "labelled", *names]
    body = [
        [row.group, row.part, _range(row), str(row.count), f"{row.labelled:.3f}"]
        + [interval(row.predicted[name], ".3f") for name in names]
        + [interval(row.error[name], ".3f") for name in names]
        for row in rows
    ]
    return table([*heads, *(f"{name}: error" for name in names)], body)


def _range(row: OpeningRow) -> str:
    if np.isinf(row.high):
        return f"above {row.low:g}"
    return f"{row.low:g} to {row.high:g}" if row.low else f"below {row.high:g}"


def _labelled(label: LabelledFace, topology: Topology) -> Float[np.ndarray, " 3"]:
    if label.scheme is None:
        return np.full(3, np.nan)
    return openings(label_scheme(label.scheme, topology), label.points)


def _compute(evaluated: Evaluated) -> list[OpeningRow] | None:
    """In the labels' crops if networks were run there, as in the table by pose and eyes."""
    scores, labels = evaluated.in_roi or evaluated.full, evaluated.labels
    if not scores:
        return None
    comparison = evaluated.comparison(scores)
    return opening_rows(labels, scores, main_groups(labels), comparison, evaluated.topology) or None


OPENINGS = Table(
    key="openings",
    title="Eyes and mouth: how far open",
    note=_NOTE,
    compute=_compute,
    section=opening_section,
)
