"""What the tables of an evaluation are computed from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.clips import FaceFollower
from amesh.evaluation.comparison import Comparison
from amesh.evaluation.labels.groups import FaceAttributes, face_attributes
from amesh.evaluation.labels.predictions import Predictions
from amesh.evaluation.labels.read import Pictures
from amesh.evaluation.models import FaceFinder, ModelRun
from amesh.evaluation.options import Evaluation
from amesh.evaluation.scores import Scores
from amesh.evaluation.tracks import ClipTracks
from amesh.topology.scheme import Topology


@dataclass(frozen=True, eq=False)
class Evaluated:
    """Labels, networks and predictions: built once, after the networks have run on the pictures.

    Attributes:
        wanted: The options of the evaluation.
        topology: The landmark scheme of all predictions.
        read: Reads the picture of a label.
        labels: The labelled faces.
        negatives: Labelled regions that show no face.
        models: The networks, by the name that tables show.
        runs: What each network predicted on the pictures of `labels`, by name.
        negative_runs: What each network predicted in the regions of `negatives`, by name.
        predictions: Faces found by full pipelines: those of the networks, then those read from
            files.
        full: Scores of `predictions`, by name.
        in_roi: Scores of the networks in the regions of interest that the labels give, by name.
        trackers: What follows faces in clips, by the network's name, then by the smoothing.
        recorded: What other programs saw in clips, by name, then by clip.
        computed: The rows of each table computed so far, by its key; `Table.rows` fills it.
    """

    wanted: Evaluation
    topology: Topology
    read: Pictures
    labels: Sequence[LabelledFace] = ()
    negatives: Sequence[LabelledFace] = ()
    models: Mapping[str, FaceFinder] = field(default_factory=dict)
    runs: Mapping[str, ModelRun] = field(default_factory=dict)
    negative_runs: Mapping[str, ModelRun] = field(default_factory=dict)
    predictions: Sequence[Predictions] = ()
    full: Mapping[str, Scores] = field(default_factory=dict)
    in_roi: Mapping[str, Scores] = field(default_factory=dict)
    trackers: Mapping[str, Mapping[str, FaceFollower]] = field(default_factory=dict)
    recorded: Mapping[str, Mapping[Path, ClipTracks]] = field(default_factory=dict)
    computed: dict[str, Any] = field(default_factory=dict)

    def comparison(self, names: Iterable[str]) -> Comparison:
        """How these sets are compared: with the first chosen reference that is one of them.

        Where none is, with the first set.

        Args:
            names: Names of the sets, at least one.
        """
        names = list(names)
        reference = next((name for name in self.wanted.reference if name in names), names[0])
        return Comparison(reference, self.wanted.resamples, self.wanted.seed)

    @cached_property
    def attributes(self) -> FaceAttributes:
        """Pose, eyes and mouth of each labelled face."""
        return face_attributes(self.labels, self.topology)

    @property
    def failed(self) -> dict[str, str]:
        """Why pictures could not be read, by picture."""
        failed = {
            source: found.failed[source]
            for found in self.predictions
            for label in self.labels
            if (source := found.find(label.image)) is not None and source in found.failed
        }
        for run in (*self.runs.values(), *self.negative_runs.values()):
            failed |= run.full.failed
        return failed
