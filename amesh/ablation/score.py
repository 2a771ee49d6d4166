"""What variants of a network are worth: errors over seeds, changes against one of them."""

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

# Measured beside the paper's columns, where labels have it.
IRISES = "Irises"
# Keeps the logarithm of an error finite [%].
_TINY = 1e-9

# Of each variant, one network for each seed; the same seeds for all.
Variants = Mapping[str, Sequence[Path]]


@dataclass(frozen=True)
class Effect:
    """One variant by one measure.

    Attributes:
        variant: Its name.
        errors: Mean error of the network of each seed [%].
        change: Against the reference, over the seeds [%]; None for the reference.
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
        measure: What that is for these labels.
        faces: Faces that carry such labels.
        effects: One for each variant.
    """

    name: str
    measure: str
    faces: int
    effects: tuple[Effect, ...]


@dataclass(frozen=True)
class FaceSet:
    """Faces that are scored together, by the same measures.

    Attributes:
        group: Name of the set.
        schemes: Of the labels.
        sources: Faces by source.
        columns: What is measured on them.
    """

    group: str
    schemes: tuple[str, ...]
    sources: dict[str, int]
    columns: tuple[Column, ...]


def read_faces(
    data: LabelledData, topology: Topology, limit: int | None = None
) -> tuple[list[LabelledFace], Pictures]:
    """Reads the labelled faces that networks are to be scored on.

    Args:
        data: Labelled sets.
        topology: Of the networks.
        limit: At most so many labels of each source.

    Raises:
        UserError: A set is wrong, or no face of it has a measure.
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
        raise UserError(f"no face has labels of {', '.join(COLUMNS)} to score networks on")
    return (limit_labels(labels, limit) if limit else labels), pictures


def score_variants(
    variants: Variants,
    reference: str,
    labels: Sequence[LabelledFace],
    read: Pictures,
    topology: Topology,
    resamples: int = RESAMPLES,
) -> tuple[list[FaceSet], dict[str, str]]:
    """Errors in the regions of interest that labels give; no detector has a part in it.

    Args:
        variants: The networks.
        reference: The variant that the others are compared with.
        labels: What `read_faces` read.
        read: Reads a picture.
        topology: Of the networks.
        resamples: Of the bootstrap.

    Returns:
        The sets of faces, and pictures that could not be read, with the reasons.

    Raises:
        UserError: A weights file is damaged, a network predicts nothing that is a number, or no
            picture could be read.
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
    """Errors and changes by set of faces.

    Args:
        labels: What is known.
        scores: Of each variant, the networks of all seeds, in the order of the seeds.
        reference: The variant that the others are compared with.
        topology: Of the networks.
        resamples: Of the bootstrap.

    Raises:
        UserError: A network predicts nothing that is a number: its training went astray.
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
    known = finite.any((0, 1))  # the region of a face is given to all networks or to none
    if not known.any():
        return None
    for i, variant in enumerate(errors):
        if not finite[i][:, known].all():
            seed = int(np.flatnonzero(~finite[i][:, known].all(1))[0])
            raise UserError(
                f"{variant}: its network number {seed + 1} predicts what is not a number; leave "
                "the variant out of the file, or train with a lower rate"
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
    """Main sets, apart by what their labels measure: name, measure of each column, members."""
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
