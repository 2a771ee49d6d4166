"""Runs networks on labelled pictures: by the full pipeline, and in regions that labels give."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8
from tqdm import tqdm

from amesh.data.sources.labelled_face import LabelledFace
from amesh.errors import UserError
from amesh.evaluation.labels.head_pose import label_roi
from amesh.evaluation.labels.predictions import Predictions
from amesh.evaluation.perturbation import perturb, perturbations
from amesh.geometry.roi import Roi
from amesh.pipeline.face_pipeline import Face
from amesh.pipeline.images import read_image, reading_cost
from amesh.pipeline.parallel import cores, in_order
from amesh.topology.scheme import Topology


@runtime_checkable
class FaceFinder(Protocol):
    """A network in its pipeline, such as `amesh.FaceMesh`."""

    def __call__(self, image: UInt8[np.ndarray, "h w 3"], rois: Roi | None = None) -> list[Face]:
        """The faces found; with `rois`, one for each of them."""


# What one network found in a picture: faces, and those in the grid of regions of each label.
_Seen = dict[str, tuple[list[Float[np.ndarray, "n 3"]], dict[int, list[Face]]]]


@dataclass(eq=False)
class ModelRun:
    """What one network predicted.

    Attributes:
        full: Faces found by the full pipeline.
        in_roi: Landmarks in the region that each label gives; None where a label gives none.
        scores: Confidence that this region shows a face; NaN where there is no region.
        errors: Error that it expects of each of these landmarks [image px]; None where there is no
            region, or from a network that does not predict it.
        perturbed: Landmarks in the region after each of `perturbations()`; empty if not measured.
    """

    full: Predictions
    in_roi: list[Float[np.ndarray, "n 3"] | None] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    errors: list[Float[np.ndarray, " n"] | None] = field(default_factory=list)
    perturbed: list[Float[np.ndarray, "c n 3"] | None] = field(default_factory=list)


def run_models(
    models: Mapping[str, FaceFinder],
    labels: Sequence[LabelledFace],
    topology: Topology,
    perturb_rois: bool = False,
    detect: bool = True,
    read: Callable[[Path], UInt8[np.ndarray, "h w 3"]] = read_image,
) -> dict[str, ModelRun]:
    """Runs networks over the pictures of labels; each picture is read once.

    Pictures are seen side by side, on a thread for each core; the results do not depend on it.

    Args:
        models: The networks, by the name that tables show; each is called from several threads.
        labels: What to run on. A picture that cannot be read counts as one without faces.
        topology: The networks' landmark scheme.
        perturb_rois: Also run in perturbed regions, about thirty for each face.
        detect: Also run the full pipeline; otherwise `full` stays empty.
        read: Reads a picture; is called from several threads.

    Raises:
        UserError: A picture is not of the size that its label says, or none could be read.
    """
    by_image: dict[Path, list[int]] = {}
    for i, label in enumerate(labels):
        by_image.setdefault(label.image, []).append(i)
    faces: dict[str, dict[str, list[Float[np.ndarray, "n 3"]]]] = {name: {} for name in models}
    failed: dict[str, str] = {}
    runs = {name: ModelRun(Predictions(name, {})) for name in models}
    for run in runs.values():
        run.in_roi = [None] * len(labels)
        run.scores = [float("nan")] * len(labels)
        run.errors = [None] * len(labels)
        run.perturbed = [None] * len(labels) if perturb_rois else []

    def see(picture: Path) -> _Seen | UserError:
        try:
            image = read(picture)
        except UserError as error:
            return error
        members = by_image[picture]
        for i in members:
            _check_size(labels[i], image)
        rois = {i: roi for i in members if (roi := label_roi(labels[i], topology)) is not None}
        # The first of the grid is the region as it is: one batch serves both.
        grid = perturbations() if perturb_rois else perturbations()[:1]
        return {
            name: (
                [face.landmarks for face in model(image)] if detect else [],
                {i: model(image, perturb(roi, grid)) for i, roi in rois.items()},
            )
            for name, model in models.items()
        }

    with closing(in_order(see, by_image, cores(), reading_cost)) as results:
        pictures = zip(by_image, results, strict=True)
        for path, seen in tqdm(
            pictures, total=len(by_image), unit="picture", disable=not sys.stderr.isatty()
        ):
            if isinstance(seen, UserError):
                failed[str(path)] = str(seen)
                continue
            for name, (found, in_rois) in seen.items():
                if detect:
                    faces[name][str(path)] = found
                for i, looks in in_rois.items():
                    landmarks = np.stack([face.landmarks for face in looks])
                    runs[name].in_roi[i] = landmarks[0]
                    runs[name].scores[i] = looks[0].score
                    runs[name].errors[i] = looks[0].expected_error
                    if perturb_rois:
                        runs[name].perturbed[i] = landmarks
    if len(failed) == len(by_image):
        first = next(iter(failed.values()))
        raise UserError(f"none of {len(failed)} pictures could be read; the first: {first}")
    for name, run in runs.items():
        run.full = Predictions(name, faces[name], failed=failed)
    return runs


def _check_size(label: LabelledFace, image: UInt8[np.ndarray, "h w 3"]) -> None:
    found = (image.shape[1], image.shape[0])
    if label.size is not None and label.size != found:
        raise UserError(
            f"{label.image} is {found[0]} x {found[1]} px, but the label says "
            f"{label.size[0]} x {label.size[1]} ({label.where})"
        )
