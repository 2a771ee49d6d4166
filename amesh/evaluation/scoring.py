"""From predictions to the parts of a report."""

from collections.abc import Mapping, Sequence

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.labels.groups import (
    Group,
    eye_bins,
    mouth_bins,
    person_groups,
    sets,
    states_of,
    yaw_bins,
)
from amesh.evaluation.labels.label_schemes import label_scheme
from amesh.evaluation.labels.predictions import Predictions
from amesh.evaluation.models import ModelRun
from amesh.evaluation.report.error_map import draw_maps, error_maps
from amesh.evaluation.report.write import Report
from amesh.evaluation.tables.accuracy import (
    Comparison,
    Row,
    accuracy_rows,
    detection_rows,
    offset_rows,
    worse_rows,
)
from amesh.evaluation.tables.agreement import compare
from amesh.evaluation.tables.robustness import curves
from amesh.evaluation.tables.scores import Scores, score, score_matched
from amesh.evaluation.tables.table_2 import tables_2
from amesh.topology.scheme import Topology


def score_full(
    report: Report,
    labels: Sequence[LabelledFace],
    everything: Sequence[Predictions],
    topology: Topology,
    how: Comparison,
) -> dict[str, Scores]:
    """Fills in what is known of predictions by full pipelines."""
    full = {found.name: score(labels, found.of, topology) for found in everything}
    groups = sets(labels)
    turned = yaw_bins(labels, states_of(labels, topology))
    report.detection = detection_rows(labels, full, [*groups, *turned], how)
    report.full = accuracy_rows(labels, full, groups, how)
    report.failures = [
        row
        for group in turned
        for row in accuracy_rows(labels, full, [group], how, _leading(labels, group, topology))
    ]
    report.offsets = offset_rows(labels, full, groups, how)
    report.agreement = [
        compare(first, second, topology)
        for i, first in enumerate(everything)
        for second in everything[i + 1 :]
    ]
    report.failed = {
        source: found.failed[source]
        for found in everything
        for label in labels
        if (source := found.find(label.image)) in found.failed and source is not None
    }
    return full


def score_in_roi(
    report: Report,
    labels: Sequence[LabelledFace],
    runs: Mapping[str, ModelRun],
    topology: Topology,
    how: Comparison,
) -> dict[str, Scores]:
    """Fills in what is known of networks in the regions that labels give."""
    scores = {name: score_matched(labels, run.in_roi, topology) for name, run in runs.items()}
    report.in_roi = accuracy_rows(labels, scores, sets(labels), how)
    report.table_2 = tables_2(labels, scores, how, topology)
    misplaced = {name: run.misplaced for name, run in runs.items() if run.misplaced}
    if misplaced:
        report.robustness = curves(labels, misplaced, topology, how)
    for run in runs.values():
        report.failed |= run.full.failed
    return scores


def draw_error_maps(
    report: Report,
    labels: Sequence[LabelledFace],
    runs: Mapping[str, ModelRun],
    topology: Topology,
    how: Comparison,
) -> dict[str, bytes]:
    """Draws where on the face networks err; names the files in the report."""
    files: dict[str, bytes] = {}
    landmarks = {name: run.in_roi for name, run in runs.items()}
    for found in error_maps(labels, landmarks, topology):
        drawn = draw_maps(found, how.reference)
        report.pictures |= dict.fromkeys(drawn, f"{found.scheme}: error by landmark")
        files |= drawn
    return files


def score_bins(
    report: Report,
    labels: Sequence[LabelledFace],
    scores: Mapping[str, Scores],
    topology: Topology,
    how: Comparison,
) -> None:
    """Fills in errors by pose, eyes, mouth and group, and where a set is worse than another."""
    known = states_of(labels, topology)
    estimated = int(known.estimated.sum())
    report.about["yaw"] = f"estimated from the labels' points for {estimated} of {len(labels)}"
    bins = {
        "Pose": (yaw_bins(labels, known), ("All", "Lips", "Eyes")),
        "Eyes": (eye_bins(labels, known), ("All", "Eyes")),
        "Mouth": (mouth_bins(labels, known), ("All", "Lips")),
        "Groups": (person_groups(labels), ("All", "Lips", "Eyes")),
    }

    def rows(group: Group, columns: Sequence[str]) -> list[Row]:
        measures = _measures(labels, group, columns, topology)
        return accuracy_rows(labels, scores, [group], how, measures)

    report.bins = {
        title: [row for group in groups for row in rows(group, columns)]
        for title, (groups, columns) in bins.items()
    }
    if any(cell.change is not None for row in report.in_roi + report.full for cell in row.cells):
        tables = {"labels' crops": report.in_roi, "full pipeline": report.full, **report.bins}
        report.worse = worse_rows(tables)


def _measures(
    labels: Sequence[LabelledFace], group: Group, columns: Sequence[str], topology: Topology
) -> set[str]:
    """The measures of a group's schemes that stand for the paper's columns."""
    schemes = {labels[i].scheme for i in group.members} - {None}
    found = [label_scheme(name, topology).columns for name in schemes if name is not None]
    return {known[column] for known in found for column in columns if column in known}


def _leading(labels: Sequence[LabelledFace], group: Group, topology: Topology) -> set[str]:
    schemes = {labels[i].scheme for i in group.members} - {None}
    return {
        next(iter(label_scheme(name, topology).measures), "")
        for name in schemes
        if name is not None
    }
