"""The labelled faces that evaluation uses, from data sets in any format."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8

from amesh.data.loading.pictures import decode
from amesh.data.sources.formats import detect
from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.opening import SourceConfig, open_labels
from amesh.data.sources.problems import Problems
from amesh.data.sources.subset import Joined, listed
from amesh.evaluation.options import LabelledData
from amesh.pipeline.images import read_image


class Pictures:
    """Reads the pictures of labels by name: files, and those inside shards."""

    def __init__(self, labels: Iterable[LabelledFace] = ()) -> None:
        """Notes which pictures are not files of their own."""
        self._inside = {
            label.image: label for label in labels if not isinstance(label.picture, Path)
        }

    def __call__(self, image: Path) -> UInt8[np.ndarray, "h w 3"]:
        """The picture.

        Raises:
            UserError: It is missing or damaged.
        """
        if image not in self._inside:
            return read_image(image)
        label = self._inside[image]
        return decode(label.read_picture(), label.where).pixels


def read_data(data: LabelledData) -> tuple[list[LabelledFace], Pictures]:
    """Reads labels; pictures are read later.

    Points of weight 0 become NaN, and so does z of weight 0; a face without any other point counts
    for detection only. Regions without a face are included.

    Raises:
        UserError: A set is missing, one of its records is wrong, or the lists of keys leave no
            face.
    """
    sources = []
    for path in data.paths:
        kind = detect(path) if data.format == "auto" else data.format
        config = SourceConfig(
            path, kind, data.images, data.scheme, data.coordinates, outside=data.outside
        )
        if kind == "shards":  # nothing is left open there: the options are for the other sets
            config = SourceConfig(path, kind)
        sources.append(open_labels(config, Problems()))
    chosen = listed(Joined(sources), data.only, data.without)
    labels = [_only_labelled(chosen[i]) for i in range(len(chosen))]
    return labels, Pictures(labels)


def _only_labelled(label: LabelledFace) -> LabelledFace:
    points: Float[np.ndarray, "p d"] = label.points.astype(np.float64)
    xy, z = label.weights()
    if points.shape[1] == 3:
        points[z <= 0, 2] = np.nan
        if np.isnan(points[:, 2]).all():
            points = points[:, :2]
    points[xy <= 0] = np.nan
    if not np.isfinite(points[:, :2]).any():
        points = points[:0, :2]
    # The weights are now in the points themselves.
    return replace(
        label,
        scheme=label.scheme if len(points) else None,
        points=points,
        weight_xy=None,
        weight_z=None,
        visibility=None,
    )


def limit_labels(labels: Sequence[LabelledFace], limit: int) -> list[LabelledFace]:
    """At most `limit` labels of each source, spread evenly over it, in order."""
    totals = Counter(label.source for label in labels)
    seen: Counter[str] = Counter()
    kept = []
    for label in labels:
        total, number = totals[label.source], seen[label.source]
        seen[label.source] += 1
        step = min(limit, total) / total
        if math.floor((number + 1) * step + 1e-9) > math.floor(number * step + 1e-9):
            kept.append(label)
    return kept


def persons(labels: Sequence[LabelledFace]) -> Int[np.ndarray, " n"]:
    """A number for each label, equal for the same person of the same source.

    A label whose person is unknown counts as a person of its own.
    """
    numbers: dict[tuple[str, str | int], int] = {}
    keys: list[tuple[str, str | int]] = [
        (label.source, label.person if label.person is not None else i)
        for i, label in enumerate(labels)
    ]
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)
