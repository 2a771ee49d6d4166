"""Labelled faces as evaluation uses them, whatever format they are kept in.

JSONL manifests are read by `amesh.data.sources.manifest_lines`, everything else that can be
trained on by `amesh.data.sources`.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8

from amesh.data.loading.pictures import decode
from amesh.data.sources.manifest_lines import Label, label_key, read_labels
from amesh.data.sources.opening import SourceConfig, detect_format, open_source
from amesh.data.sources.records import Entry, ListSource, Problems, Record, Source
from amesh.data.sources.subset import Subset, listed
from amesh.errors import UserError
from amesh.evaluation.options import LabelledData
from amesh.pipeline.images import read_image

__all__ = ["Label", "Pictures", "limit_labels", "persons", "read_data"]


class Sets:
    """Sets one after the other, as one source: a list of keys may name faces of any of them."""

    def __init__(self, sources: Sequence[Source]) -> None:
        """Puts them together."""
        self.name = ", ".join(source.name for source in sources)
        self.schemes = frozenset(scheme for source in sources for scheme in source.schemes)
        self.entries: list[Entry] = [entry for source in sources for entry in source.entries]
        self.places = [(source, i) for source in sources for i in range(len(source))]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> Record:
        source, i = self.places[index]
        return source[i]


class Pictures:
    """Reads the pictures of labels: files, and those that lie inside of shards."""

    def __init__(self) -> None:
        """Knows no shard yet."""
        self._inside: dict[Path, tuple[Source, int]] = {}

    def __call__(self, path: Path) -> UInt8[np.ndarray, "h w 3"]:
        """The picture.

        Raises:
            UserError: It is missing or damaged.
        """
        if path not in self._inside:
            return read_image(path)
        source, index = self._inside[path]
        record = source[index]
        return decode(record.read_picture(), record.where)[0]

    def keep(self, source: Source, index: int, record: Record) -> Path:
        """What the picture of a record is called from now on."""
        if isinstance(record.picture, Path):
            return record.picture
        path = Path(source.name) / record.key
        if path in self._inside:  # the same key twice, in shards that were put together
            path = Path(source.name) / f"{record.key}, number {index}"
        self._inside[path] = (source, index)
        return path


def read_data(data: LabelledData) -> tuple[list[Label], Pictures]:
    """Reads labels; pictures stay where they are.

    Labels that count nothing become not-a-number, and so does a depth that nobody labelled; a face
    with no other labels counts for detection only. Regions without a face are among them.

    Raises:
        UserError: A set is missing, a record of it is wrong, or the lists of keys leave no face.
    """
    pictures = Pictures()
    manifests: dict[str, Label] = {}  # by where they stand
    sources: list[Source] = []
    for path in data.paths:
        kind = data.format if data.format != "auto" else detect_format(path)
        config = SourceConfig(path, kind, data.images, data.scheme, data.coordinates)
        if kind == "jsonl":
            if data.coordinates == "one":
                raise UserError(f"{path}: coordinates of a manifest are 'corner' or 'index'")
            # Not opened as a source: that refuses faces without points, which count for detection.
            found = {label.where: label for label in read_labels(path, data.coordinates)}
            sources.append(ListSource(str(path), [_record(one, path) for one in found.values()]))
            manifests |= found
            continue
        if kind == "shards":  # nothing is left open there: the options speak of the other sets
            config = SourceConfig(path, kind)
        sources.append(open_source(config, Problems()))
    sets = Sets(sources)
    chosen = listed(sets, data.only, data.without)
    labels: list[Label] = []
    for number in chosen.numbers if isinstance(chosen, Subset) else range(len(sets)):
        source, i = sets.places[number]
        record = source[i]
        label = manifests.get(record.where) or _label(record, pictures.keep(source, i, record))
        labels.append(label)
    return [_only_labelled(label) for label in labels], pictures


def _record(label: Label, manifest: Path) -> Record:
    """What of a manifest's line a list of keys needs; the key is the one that training uses."""
    return Record(
        picture=label.image,
        scheme=label.scheme,
        points=label.points,
        source=label.source,
        key=label_key(label, manifest),
        where=label.where,
    )


def _label(record: Record, image: Path) -> Label:
    return Label(
        image=image,
        source=record.source,
        licence=record.licence or "not stated",
        scheme=record.scheme,
        points=record.points.astype(np.float64),
        size=None,
        person=record.person,
        yaw=None,
        where=record.where,
        group=record.group,
        split=record.split,
        face=record.face,
        box=record.box,
        weight_xy=record.weight_xy,
        weight_z=record.weight_z,
    )


def _only_labelled(label: Label) -> Label:
    points: Float[np.ndarray, "p d"] = label.points.astype(np.float64)
    if label.weight_z is not None and points.shape[1] == 3:
        points[label.weight_z <= 0, 2] = np.nan
    if points.shape[1] == 3 and np.isnan(points[:, 2]).all():
        points = points[:, :2]
    if label.weight_xy is not None:
        points[label.weight_xy <= 0] = np.nan
    if not np.isfinite(points[:, :2]).any():
        points = points[:0, :2]
    # What labels count is now in the points themselves.
    return replace(
        label,
        scheme=label.scheme if len(points) else None,
        points=points,
        weight_xy=None,
        weight_z=None,
        visibility=None,
    )


def limit_labels(labels: Sequence[Label], limit: int) -> list[Label]:
    """At most so many labels of each source, spread evenly over it, in their order."""
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


def persons(labels: Sequence[Label]) -> Int[np.ndarray, " n"]:
    """A number for each label, equal for the same person of the same source.

    A label whose person is unknown counts as a person of its own.
    """
    numbers: dict[tuple[str, str | int], int] = {}
    keys: list[tuple[str, str | int]] = [
        (label.source, label.person if label.person is not None else i)
        for i, label in enumerate(labels)
    ]
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)
