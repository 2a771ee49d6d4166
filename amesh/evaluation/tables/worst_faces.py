"""A contact sheet of each network's worst faces, with labels and predictions drawn on them.

It shows the pictures themselves, and so is only made on request.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.evaluated import Evaluated
from amesh.evaluation.labels.head_pose import label_roi
from amesh.evaluation.labels.label_schemes import label_scheme
from amesh.evaluation.pictures import Picture, captions, contents, png_name, section
from amesh.evaluation.scores import Scores
from amesh.evaluation.table import Table
from amesh.geometry import affine, roi
from amesh.pipeline.crops import crop_image
from amesh.pipeline.draw import Style, draw_faces, draw_sheet
from amesh.topology.scheme import Topology

_CELL = 360  # [px]
_LABEL = (60, 255, 60)


def worst_sheet(
    labels: Sequence[LabelledFace],
    scores: Scores,
    landmarks: Sequence[Float[np.ndarray, "n 3"] | None],
    count: int,
    topology: Topology,
    read: Callable[[Path], UInt8[np.ndarray, "h w 3"]],
) -> bytes | None:
    """The faces with the largest errors by the first measure of their scheme, as PNG.

    Args:
        labels: The labelled faces.
        scores: Of one network, in the regions of interest that the labels give.
        landmarks: What it predicted there.
        count: Number of faces.
        topology: Of the predictions.
        read: Reads a picture.

    Returns:
        None if no face was measured.
    """
    ranked = []
    for i, label in enumerate(labels):
        if label.scheme is None or landmarks[i] is None:
            continue
        measure = next(iter(label_scheme(label.scheme, topology).measures), None)
        if measure is not None and np.isfinite(error := scores.errors[measure][i]):
            ranked.append((-float(error), i, measure))
    tiles, texts = [], []
    for error, i, measure in sorted(ranked)[:count]:
        face = landmarks[i]
        assert face is not None
        tiles.append(_tile(labels[i], face, topology, read))
        texts.append(f"{-error:.2f} % {measure}, {labels[i].source}: {labels[i].image.name}")
    if not tiles:
        return None
    sheet = draw_sheet(tiles, min(4, len(tiles)), texts, _CELL)
    _, content = cv2.imencode(".png", sheet[..., ::-1])
    return content.tobytes()


def _tile(
    label: LabelledFace,
    face: Float[np.ndarray, "n 3"],
    topology: Topology,
    read: Callable[[Path], UInt8[np.ndarray, "h w 3"]],
) -> UInt8[np.ndarray, "k k 3"]:
    """The region that the network saw: the predicted contours, and green dots for the labels."""
    region = label_roi(label, topology)
    assert region is not None
    side = 2 * _CELL
    image_from_crop = roi.image_from_crop(region, side)
    crop_from_image = affine.invert(image_from_crop)

    def inside(points: Float[np.ndarray, "k d"]) -> Float[np.ndarray, "k 2"]:
        return np.asarray(affine.apply(crop_from_image[0], points[:, :2]))

    tile = crop_image(read(label.image), image_from_crop[0], side)
    tile = draw_faces(tile, [inside(face)], topology, Style(mesh=False, line=0.004))
    for x, y in inside(label.points[np.isfinite(label.points[:, :2]).all(1)]).tolist():
        at = (round(16 * (x - 0.5)), round(16 * (y - 0.5)))
        cv2.circle(tile, at, 16 * 2, _LABEL, -1, cv2.LINE_AA, 4)
    return tile


def _compute(evaluated: Evaluated) -> dict[str, Picture] | None:
    pictures = {}
    for name, run in evaluated.runs.items() if evaluated.wanted.worst else ():
        sheet = worst_sheet(
            evaluated.labels,
            evaluated.in_roi[name],
            run.in_roi,
            evaluated.wanted.worst,
            evaluated.topology,
            evaluated.read,
        )
        if sheet is not None:
            caption = f"{name}: worst faces, labels in green"
            pictures[png_name("worst", name)] = Picture(caption, sheet)
    return pictures or None


WORST_FACES = Table(
    key="worst_faces",
    title="Worst faces",
    compute=_compute,
    section=section,
    files=contents,
    json=captions,
)
