"""Networks run over labelled pictures: by the full pipeline, and in regions that labels give."""

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
from amesh.evaluation.labels.predictions import Predictions
from amesh.evaluation.labels.template_fit import label_roi
from amesh.evaluation.misplacement import changes, misplace
from amesh.geometry.roi import Roi
from amesh.pipeline.face_pipeline import Face
from amesh.pipeline.images import read_image
from amesh.topology.scheme import Topology


@runtime_checkable
class FaceFinder(Protocol):
    """What is asked of a network in its pipeline; `amesh.FaceMesh` is one."""

    def __call__(self, image: UInt8[np.ndarray, "h w 3"], rois: Roi | None = None) -> list[Face]:
        """The faces found; with `rois`, one for each of them."""


@dataclass(eq=False)
class ModelRun:
    """What one network predicted.

    Attributes:
        full: By the full pipeline.
        in_roi: In the region that each label gives; None where a label gives none.
        scores: How surely these regions show a face; not-a-number where there is none.
        misplaced: The same in each of `robustness.changes()`; empty where not asked for.
    """

    full: Predictions
    in_roi: list[Float[np.ndarray, "n 3"] | None] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    misplaced: list[Float[np.ndarray, "c n 3"] | None] = field(default_factory=list)


def run_models(
    models: Mapping[str, FaceFinder],
    labels: Sequence[LabelledFace],
    topology: Topology,
    misplace_rois: bool = False,
    detect: bool = True,
    read: Callable[[Path], UInt8[np.ndarray, "h w 3"]] = read_image,
) -> dict[str, ModelRun]:
    """Runs networks over the pictures of labels; each picture is read once.

    Args:
        models: Networks by the name that tables call them.
        labels: What to run on. A picture that cannot be read counts as one without faces.
        topology: Of the networks.
        misplace_rois: Also run in misplaced regions, about thirty a face.
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
        run.misplaced = [None] * len(labels) if misplace_rois else []
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
                # The untouched region is the first of the grid: one batch serves both.
                grid = changes() if misplace_rois else changes()[:1]
                seen = model(image, misplace(roi, grid))
                found = np.stack([face.landmarks for face in seen])
                runs[name].in_roi[i] = found[0]
                runs[name].scores[i] = seen[0].score
                if misplace_rois:
                    runs[name].misplaced[i] = found
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
