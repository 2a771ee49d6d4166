"""Scores the variants of an ablation: errors over seeds, and changes against the reference."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from amesh.ablation.seeds import changes_over_seeds
from amesh.data.sources.labelled_face import LabelledFace
from amesh.errors import UserError
from amesh.evaluation.labels.groups import main_groups
from amesh.evaluation.labels.label_schemes import label_scheme
from amesh.evaluation.labels.read import Pictures, limit_labels, persons, read_data
from amesh.evaluation.models import run_models
from amesh.evaluation.options import LabelledData
from amesh.evaluation.scores import Scores, score_matched
from amesh.evaluation.tables.table_2 import COLUMNS
from amesh.metrics.bootstrap import Interval
from amesh.metrics.confidence import RESAMPLES
from amesh.pipeline.face_pipeline import FacePipeline
from amesh.runner import TorchRunner
from amesh.topology.scheme import Topology

# Measured in addition to the paper's columns if the annotations have irises.
IRISES = "Irises"
# Keeps the logarithm of an error finite [%].
_TINY = 1e-9

# For each variant, one network per seed; all variants have the same seeds.
Variants = Mapping[str, Sequence[Path]]


@dataclass(frozen=True)
class Effect:
    """The result of one variant in one measure.

    Attributes:
        variant: Name of the variant.
        errors: Mean error of each seed's network [%].
        change: Change against the reference, over the seeds [%]; None for the reference.
    """

    variant: str
    errors: tuple[float, ...]
    change: Interval | None

    @property
    def error(self) -> float:
        """The mean over the seeds [%]."""
        return float(np.mean(self.errors))


@dataclass(frozen=True)
class Column:
    """One measure on one set of faces.

    Attributes:
        name: `All`, `Lips`, `Eyes` or `Irises`.
        measure: The measure that it stands for with these annotations.
        faces: Number of faces with such annotations.
        effects: One result per variant.
    """

    name: str
    measure: str
    faces: int
    effects: tuple[Effect, ...]


@dataclass(frozen=True)
class FaceSet:
    """A set of faces that are scored by the same measures.

    Attributes:
        group: Name of the set.
        schemes: Schemes of the annotations.
        sources: Number of faces by source.
        columns: The measures.
    """

    group: str
    schemes: tuple[str, ...]
    sources: dict[str, int]
    columns: tuple[Column, ...]


def read_faces(
    data: LabelledData, topology: Topology, limit: int | None = None
) -> tuple[list[LabelledFace], Pictures]:
    """Reads the annotated faces on which networks are scored.

    Args:
        data: Annotated sets.
        topology: Topology of the networks.
        limit: Maximum number of faces of each source.

    Raises:
        UserError: A set is invalid, or no measure applies to any of its faces.
    """
    labels, pictures = read_data(data)
    labels = [label for label in labels if label.face and label.scheme is not None]
    counted = []
    for label in labels:
        try:
            scheme = label_scheme(str(label.scheme), topology)
        except UserError as error:
            raise UserError(f"{label.where}: {error}") from error
        if len(label.points) != scheme.points:
            raise UserError(
                f"{label.where}: {len(label.points)} points, but {scheme.name} has {scheme.points}"
            )
        counted += [label] if scheme.columns else []
    labels = counted
    if not labels:
        raise UserError(f"no face has annotations of {', '.join(COLUMNS)} to score networks on")
    return (limit_labels(labels, limit) if limit else labels), pictures


def score_variants(
    variants: Variants,
    reference: str,
    labels: Sequence[LabelledFace],
    read: Pictures,
    topology: Topology,
    resamples: int = RESAMPLES,
) -> tuple[list[FaceSet], dict[str, str]]:
    """Scores networks on regions of interest from the annotations, without a detector.

    Args:
        variants: The networks.
        reference: The variant that the others are compared with.
        labels: Faces from `read_faces`.
        read: Reads a picture.
        topology: Topology of the networks.
        resamples: Number of bootstrap resamples.

    Returns:
        The sets of faces, and the pictures that could not be read, with reasons.

    Raises:
        UserError: A weights file is damaged, a network predicts NaN, or no picture could be read.
    """
    models = {
        str(file): FacePipeline(TorchRunner.open(file), lambda _: [])
        for files in variants.values()
        for file in files
    }
    runs = run_models(models, labels, topology, detect=False, read=read)
    scores = {
        name: [score_matched(labels, runs[str(file)].in_roi, topology) for file in files]
        for name, files in variants.items()
    }
    failed = next(iter(runs.values())).full.failed
    return face_sets(labels, scores, reference, topology, resamples), dict(failed)


def face_sets(
    labels: Sequence[LabelledFace],
    scores: Mapping[str, Sequence[Scores]],
    reference: str,
    topology: Topology,
    resamples: int = RESAMPLES,
) -> list[FaceSet]:
    """Computes errors and changes for each set of faces.

    Args:
        labels: The annotated faces.
        scores: For each variant, the scores of its networks, in the order of the seeds.
        reference: The variant that the others are compared with.
        topology: Topology of the networks.
        resamples: Number of bootstrap resamples.

    Raises:
        UserError: A network predicts NaN, because its training diverged.
    """
    people = persons(labels)
    found = []
    for group, measures, members in _sets(labels, topology):
        columns = []
        for name, measure in measures.items():
            errors = {
                variant: np.stack([one.errors[measure][members] for one in seeds])  # s n
                for variant, seeds in scores.items()
            }
            column = _column(name, measure, errors, reference, people[members], resamples)
            columns += [] if column is None else [column]
        schemes = tuple(dict.fromkeys(str(labels[i].scheme) for i in members))
        sources = dict(Counter(labels[i].source for i in members))
        if columns:
            found.append(FaceSet(group, schemes, sources, tuple(columns)))
    return found


def _column(
    name: str,
    measure: str,
    errors: Mapping[str, Float[np.ndarray, "s n"]],
    reference: str,
    people: Int[np.ndarray, " n"],
    resamples: int,
) -> Column | None:
    every = np.stack(list(errors.values()))  # v s n
    finite = np.isfinite(every)
    known = finite.any((0, 1))  # all networks get the region of a face, or none does
    if not known.any():
        return None
    for i, variant in enumerate(errors):
        if not finite[i][:, known].all():
            seed = int(np.flatnonzero(~finite[i][:, known].all(1))[0])
            raise UserError(
                f"{variant}: its network number {seed + 1} predicts NaN; remove the variant from "
                "the file, or train with a lower learning rate"
            )
    every = np.maximum(every[..., known], _TINY)
    at = list(errors).index(reference)
    changes = changes_over_seeds(every, at, people[known], resamples=resamples)
    effects = tuple(
        Effect(variant, tuple(every[i].mean(-1).tolist()), None if i == at else changes[i])
        for i, variant in enumerate(errors)
    )
    return Column(name, measure, int(known.sum()), effects)


def _sets(
    labels: Sequence[LabelledFace], topology: Topology
) -> list[tuple[str, dict[str, str], Int[np.ndarray, " m"]]]:
    """Splits the main groups by measures: returns name, measure of each column, and members."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], list[int]] = {}
    for main in main_groups(labels):
        for i in main.members.tolist():
            scheme = label_scheme(str(labels[i].scheme), topology)
            if scheme.columns:
                found.setdefault((main.name, tuple(scheme.columns.items())), []).append(i)
    sets = []
    for (name, columns), members in found.items():
        measures = dict(columns)
        schemes = {str(labels[i].scheme) for i in members}
        if any("irises" in label_scheme(scheme, topology).measures for scheme in schemes):
            measures[IRISES] = "irises"
        sets.append((name, measures, np.array(members)))
    return sets
