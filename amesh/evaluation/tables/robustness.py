"""How the error grows when the region of interest is misplaced, as by a tracker or a detector.

Networks see each labelled face in the region that its labels give, and in that region shifted,
scaled and rolled. Nothing else differs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from amesh.charts import Panel, Point, line_charts
from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.comparison import Comparison
from amesh.evaluation.evaluated import Evaluated
from amesh.evaluation.labels.groups import source_groups
from amesh.evaluation.labels.read import persons
from amesh.evaluation.markdown import interval, table
from amesh.evaluation.perturbation import Perturbation, perturbations
from amesh.evaluation.scores import Scores, score_matched
from amesh.evaluation.table import Table
from amesh.metrics.bootstrap import Interval
from amesh.topology.scheme import Topology

_CHART = "robustness.svg"
_AXES = {
    "shift": ("shift", "% of the crop's side"),
    "scale": ("scale", "side over the right one"),
    "roll": ("roll", "degrees"),
}


@dataclass(frozen=True)
class Curve:
    """Error of a group of faces against one kind of perturbation.

    Attributes:
        group: Name of the group.
        measure: Name of the measure.
        kind: `shift`, `scale` or `roll`.
        points: Value and mean error [%], in order of the value; one is the region as it is.
        changes: Against the reference in the same regions [%], in the same order; empty for the
            reference itself.
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
    comparison: Comparison,
) -> dict[str, list[Curve]]:
    """Errors against perturbation, by group and measure, for each network.

    Args:
        labels: The labelled faces.
        landmarks: Predictions after each of `perturbations()`, for each label, by the name of the
            network; None where the label gives no region.
        topology: Of the predictions.
        comparison: The reference, and the bootstrap.
    """
    grid = perturbations()
    # Regions come from labels, so every network saw the same faces.
    used = [i for i, face in enumerate(landmarks[comparison.reference]) if face is not None]
    kept = [labels[i] for i in used]
    people = persons(kept)
    scores: dict[str, list[Scores]] = {}
    for name, faces in landmarks.items():
        seen = [face.astype(np.float64) for face in faces if face is not None]
        scores[name] = [
            score_matched(kept, [face[c] for face in seen], topology) for c in range(len(grid))
        ]
    found: dict[str, list[Curve]] = {name: [] for name in landmarks}
    for group in source_groups(kept):
        for measure, labelled in scores[comparison.reference][0].labelled.items():
            members = group.members[labelled[group.members]]
            errors = {
                name: np.stack([scored.errors[measure][members] for scored in by_crop])  # c m
                for name, by_crop in scores.items()
            }
            # A network that has diverged predicts NaN.
            measured = np.isfinite(np.stack(list(errors.values()))).all((0, 1))
            if not measured.any():
                continue
            members = members[measured]
            errors = {name: known[:, measured] for name, known in errors.items()}
            for name, known in errors.items():
                old = None if name == comparison.reference else errors[comparison.reference]
                title = (group.name, measure)
                found[name] += _curves(title, grid, known, old, people[members], comparison)
    return found


def _curves(
    title: tuple[str, str],
    grid: Sequence[Perturbation],
    errors: Float[np.ndarray, "c m"],
    reference: Float[np.ndarray, "c m"] | None,
    people: Int[np.ndarray, " m"],
    comparison: Comparison,
) -> list[Curve]:
    """The curves of one network, each face averaged over the directions of a perturbation."""
    found = []
    for kind, untouched in (("shift", 0.0), ("scale", 1.0), ("roll", 0.0)):
        rows: dict[float, list[int]] = {untouched: [0]}
        for c, one in enumerate(grid):
            if one.kind == kind:
                rows.setdefault(one.value, []).append(c)
        points, compared = [], []
        for value in sorted(rows):
            ours = errors[rows[value]].mean(0)
            points.append((value, comparison.mean(ours, people)))
            if reference is not None:
                theirs = reference[rows[value]].mean(0)
                compared.append(comparison.change(ours, theirs, people))
        found.append(Curve(*title, kind, tuple(points), tuple(compared)))
    return found


def robustness_section(found: Mapping[str, Sequence[Curve]]) -> str:
    """A table for each group and kind, by the group's first measure, and the chart."""
    blocks = []
    for group, measure, kind in _first_measures(found):
        curve = _curve_of(found, group, measure, kind)
        compared = {name: one for name, one in curve.items() if one.changes}
        values = [value for value, _ in next(iter(curve.values())).points]
        rows = [
            [f"{value:g}", *(interval(one.points[i][1]) for one in curve.values())]
            + [interval(one.changes[i], "+.2f") for one in compared.values()]
            for i, value in enumerate(values)
        ]
        title, unit = _AXES[kind]
        heads = [title, *curve, *(f"{name}: change [%]" for name in compared)]
        blocks.append(f"{group}, `{measure}`, {title} [{unit}]\n\n{table(heads, rows)}")
    return "\n\n".join([*blocks, f"![Error against shift, scale and roll]({_CHART})"])


def robustness_chart(found: Mapping[str, Sequence[Curve]]) -> str:
    """The first group that was measured, as SVG."""
    group, measure, _ = _first_measures(found)[0]
    panels = []
    for kind, (title, unit) in _AXES.items():
        lines = {
            name: [Point(value, *error) for value, error in curve.points]
            for name, curve in _curve_of(found, group, measure, kind).items()
        }
        panels.append(Panel(title, unit, lines))
    return line_charts(panels, f"{group}: {measure} [%]")


def _first_measures(found: Mapping[str, Sequence[Curve]]) -> list[tuple[str, str, str]]:
    """Each group with its first measure, by kind."""
    measures: dict[str, str] = {}
    for curves_of_one in found.values():
        for curve in curves_of_one:
            measures.setdefault(curve.group, curve.measure)
    return [(group, measure, kind) for group, measure in measures.items() for kind in _AXES]


def _curve_of(
    found: Mapping[str, Sequence[Curve]], group: str, measure: str, kind: str
) -> dict[str, Curve]:
    """One curve of each network."""
    wanted = (group, measure, kind)
    return {
        name: curve
        for name, curves_of_one in found.items()
        for curve in curves_of_one
        if (curve.group, curve.measure, curve.kind) == wanted
    }


def _compute(evaluated: Evaluated) -> dict[str, list[Curve]] | None:
    landmarks = {name: run.perturbed for name, run in evaluated.runs.items() if run.perturbed}
    if not landmarks:
        return None
    comparison = evaluated.comparison(landmarks)
    found = curves(evaluated.labels, landmarks, evaluated.topology, comparison)
    return found if any(found.values()) else None


ROBUSTNESS = Table(
    key="robustness",
    title="Error against misplaced regions of interest [%]",
    compute=_compute,
    section=robustness_section,
    files=lambda found: {_CHART: robustness_chart(found).encode()},
)
