"""How often networks call a region a face: labelled faces, and regions that show none.

The other tables measure faces only, so a network that takes everything for a face looks fine there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.comparison import Comparison
from amesh.evaluation.evaluated import Evaluated
from amesh.evaluation.labels.groups import source_groups
from amesh.evaluation.labels.read import persons
from amesh.evaluation.markdown import interval, table
from amesh.evaluation.models import ModelRun
from amesh.evaluation.table import Table
from amesh.metrics.bootstrap import Interval

PRESENT = 0.5  # the probability from which pipelines take a region for a face by default

_NOTE = f"""\
Share of regions that the network calls a face (probability {PRESENT:g} or more). Faces are seen in
the region that their labels give, regions without a face in the box that the data set gives."""


@dataclass(frozen=True)
class FlagRow:
    """One group of regions.

    Attributes:
        group: A source, a pool of sources, or all of them.
        face: Whether its regions show a face.
        regions: How many there are.
        called: Share called a face, by the name of the network [%].
    """

    group: str
    face: bool
    regions: int
    called: dict[str, Interval]


def flag_rows(
    labels: Sequence[LabelledFace], runs: Mapping[str, ModelRun], comparison: Comparison
) -> list[FlagRow]:
    """Shares by group; labelled faces whose points give no region are left out.

    Args:
        labels: Either faces, or regions without one.
        runs: What the networks found in these regions, by name.
        comparison: The bootstrap. It draws persons where labels name them; of regions without a
            face, pictures.
    """
    scores = {name: np.array(run.scores) for name, run in runs.items()}
    used = np.flatnonzero(np.isfinite(np.stack(list(scores.values()))).all(0))
    kept = [labels[i] for i in used.tolist()]
    people = persons(kept)
    if not labels[0].face:  # regions of one picture are alike, and overlap
        people = np.unique([str(label.image) for label in kept], return_inverse=True)[1]
    groups = {group.name: group.members for group in source_groups(kept)}
    if len(groups) > 1:
        groups = {"all": np.arange(len(kept)), **groups}
    return [
        FlagRow(
            group,
            labels[0].face,
            len(members),
            {
                name: comparison.mean(100.0 * (found[used][members] >= PRESENT), people[members])
                for name, found in scores.items()
            },
        )
        for group, members in groups.items()
    ]


def flag_section(rows: Sequence[FlagRow]) -> str:
    """The shares as a table."""
    names = list(rows[0].called)
    body = [
        [row.group, "a face" if row.face else "no face", str(row.regions)]
        + [interval(row.called[name]) for name in names]
        for row in rows
    ]
    return table(["group", "shows", "regions", *names], body)


def _compute(evaluated: Evaluated) -> list[FlagRow] | None:
    rows = []
    for labels, runs in (
        (evaluated.labels, evaluated.runs),
        (evaluated.negatives, evaluated.negative_runs),
    ):
        if runs:
            rows += flag_rows(labels, runs, evaluated.comparison(runs))
    return rows or None


FACE_FLAG = Table(
    key="flags",
    title="Face flag: regions called a face [%]",
    note=_NOTE,
    compute=_compute,
    section=flag_section,
)
