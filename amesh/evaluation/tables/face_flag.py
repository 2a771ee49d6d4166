"""How often networks call a region a face: labelled faces, and regions without one.

Errors are measured on faces alone; a network whose flag says yes to everything shows none of it
there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.labels.groups import sets
from amesh.evaluation.labels.read import persons
from amesh.evaluation.markdown import interval, table
from amesh.evaluation.models import ModelRun
from amesh.evaluation.tables.accuracy import Comparison
from amesh.metrics.bootstrap import Interval

# From here on pipelines take a region for a face, unless they are told otherwise.
PRESENT = 0.5


@dataclass(frozen=True)
class FlagRow:
    """One group of regions.

    Attributes:
        group: A source, a pool of sources, or all of them.
        face: Whether its regions show a face.
        regions: How many there are.
        called: Share that is called a face, by the name of the network [%].
    """

    group: str
    face: bool
    regions: int
    called: dict[str, Interval]


def flag_rows(
    labels: Sequence[LabelledFace], runs: Mapping[str, ModelRun], how: Comparison
) -> list[FlagRow]:
    """Shares by group; labelled faces whose points tell no region are left out.

    Args:
        labels: Either faces, or regions without one.
        runs: What networks found in these regions, by name.
        how: The bootstrap: over persons where labels name them; over pictures for regions without
            a face.
    """
    scores = {name: np.array(run.scores) for name, run in runs.items()}
    used = np.flatnonzero(np.isfinite(np.stack(list(scores.values()))).all(0))
    kept = [labels[i] for i in used.tolist()]
    people = persons(kept)
    if not labels[0].face:  # regions of one picture are alike, and overlap
        people = np.unique([str(label.image) for label in kept], return_inverse=True)[1]
    groups = {group.name: group.members for group in sets(kept)}
    if len(groups) > 1:
        groups = {"all": np.arange(len(kept)), **groups}
    return [
        FlagRow(
            group,
            labels[0].face,
            len(members),
            {
                name: how.mean(100.0 * (found[used][members] >= PRESENT), people[members])
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
