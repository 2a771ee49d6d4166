"""Runs networks on labelled pictures: by the full pipeline, and in regions that labels give."""

import sys
from collections.abc import Callable, Mapping, Sequence
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
from amesh.pipeline.images import read_image
from amesh.topology.scheme import Topology


@runtime_checkable
class FaceFinder(Protocol):
    """A network in its pipeline, such as `amesh.FaceMesh`."""

    def __call__(self, image: UInt8[np.ndarray, "h w 3"], rois: Roi | None = None) -> list[Face]:
        """The faces found; with `rois`, one for each of them."""


@dataclass(eq=False)
class ModelRun:
    """What one network predicted.

    Attributes:
        full: Faces found by the full pipeline.
        in_roi: Landmarks in the region that each label gives; None where a label gives none.
        scores: Confidence that this region shows a face; NaN where there is no region.
        perturbed: Landmarks in the region after each of `perturbations()`; empty if not measured.
    """

    full: Predictions
    in_roi: list[Float[np.ndarray, "n 3"] | None] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
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

    Args:
        models: The networks, by the name that tables show.
        labels: What to run on. A picture that cannot be read counts as one without faces.
        topology: The networks' landmark scheme.
        perturb_rois: Also run in perturbed regions, about thirty for each face.
        detect: Also run the full pipeline; otherwise `full` stays empty.
        read: Reads a picture.

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
        run.perturbed = [None] * len(labels) if perturb_rois else []
    for path, members in tqdm(by_image.items(), unit="picture", disable=not sys.stderr.isatty()):
        try:
            image = read(path)
        except UserError as error:
            failed[str(path)] = str(error)
            continue
        for i in members:
            _check_size(labels[i], image)
        rois = {i: roi for i in members if (roi := label_roi(labels[i], topology)) is not None}
        for name, model in models.items():
            if detect:
                faces[name][str(path)] = [face.landmarks for face in model(image)]
            for i, roi in rois.items():
                # The first of the grid is the region as it is: one batch serves both.
                grid = perturbations() if perturb_rois else perturbations()[:1]
                seen = model(image, perturb(roi, grid))
                found = np.stack([face.landmarks for face in seen])
                runs[name].in_roi[i] = found[0]
                runs[name].scores[i] = seen[0].score
                if perturb_rois:
                    runs[name].perturbed[i] = found
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
