"""Error against how wrongly the crop was placed: a tracker's and a detector's errors, one by one.

Each labelled face is looked at through the region that its labels give, and through that region
shifted, scaled and rolled; everything else is equal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.labels.groups import sets
from amesh.evaluation.labels.read import persons
from amesh.evaluation.misplacement import Change, changes
from amesh.evaluation.tables.accuracy import Comparison
from amesh.evaluation.tables.scores import Scores, score_matched
from amesh.metrics.bootstrap import Interval
from amesh.topology.scheme import Topology


@dataclass(frozen=True)
class Curve:
    """Error of a group of faces against one kind of misplacement.

    Attributes:
        group: Name of the group.
        measure: What was measured.
        kind: `shift`, `scale` or `roll`.
        points: Value and mean error [%], in order of the value, the untouched region among them.
        changes: Against the reference in the same regions [%], in the same order; empty for it.
    """

    group: str
    measure: str
    kind: str
    points: tuple[tuple[float, Interval], ...]
    changes: tuple[Interval, ...] = ()


def curves(
    labels: Sequence[LabelledFace],
    landmarks: Mapping[str, Sequence[Float[np.ndarray, "c n 3"] | None]],
    topology: Topology,
    how: Comparison,
) -> dict[str, list[Curve]]:
    """Errors against misplacement, by group and measure, for each network.

    Args:
        labels: What is known.
        landmarks: Predictions in every crop of `changes()`, for each label, by the name of the
            network; None where its points tell no region.
        topology: Of the predictions.
        how: What the networks are compared with, and the bootstrap.
    """
    grid = changes()
    # Regions come from labels, so every network saw the same faces.
    used = [i for i, face in enumerate(landmarks[how.reference]) if face is not None]
    kept = [labels[i] for i in used]
    people = persons(kept)
    scores: dict[str, list[Scores]] = {}
    for name, faces in landmarks.items():
        seen = [face.astype(np.float64) for face in faces if face is not None]
        scores[name] = [
            score_matched(kept, [face[c] for face in seen], topology) for c in range(len(grid))
        ]
    found: dict[str, list[Curve]] = {name: [] for name in landmarks}
    for group in sets(kept):
        for measure, labelled in scores[how.reference][0].labelled.items():
            members = group.members[labelled[group.members]]
            tables = {
                name: np.stack([scored.errors[measure][members] for scored in by_crop])  # c m
                for name, by_crop in scores.items()
            }
            # A network that has diverged answers with what is no number.
            measured = np.isfinite(np.stack(list(tables.values()))).all((0, 1))
            if not measured.any():
                continue
            members = members[measured]
            tables = {name: table[:, measured] for name, table in tables.items()}
            for name, table in tables.items():
                old = None if name == how.reference else tables[how.reference]
                title = (group.name, measure)
                found[name] += _curves(title, grid, table, old, people[members], how)
    return found


def _curves(
    title: tuple[str, str],
    grid: Sequence[Change],
    table: Float[np.ndarray, "c m"],
    reference: Float[np.ndarray, "c m"] | None,
    people: Int[np.ndarray, " m"],
    how: Comparison,
) -> list[Curve]:
    """Faces are averaged over the directions of a change before they are drawn."""
    found = []
    for kind, untouched in (("shift", 0.0), ("scale", 1.0), ("roll", 0.0)):
        rows: dict[float, list[int]] = {untouched: [0]}
        for c, change in enumerate(grid):
            if change.kind == kind:
                rows.setdefault(change.value, []).append(c)
        points, compared = [], []
        for value in sorted(rows):
            errors = table[rows[value]].mean(0)
            points.append((value, how.mean(errors, people)))
            if reference is not None:
                compared.append(how.change(errors, reference[rows[value]].mean(0), people))
        found.append(Curve(*title, kind, tuple(points), tuple(compared)))
    return found
