"""Plain `landmarks.jsonl` manifests, the format of `amesh.data.sources.manifest_lines`."""

from pathlib import Path

from amesh.data.sources.manifest_lines import Coordinates, Label, label_key, read_labels
from amesh.data.sources.records import ListSource, Problems, Record, finish
from amesh.errors import UserError


def read_manifest(
    path: Path, problems: Problems, coordinates: Coordinates | None = None
) -> ListSource:
    """Reads a manifest for training.

    Args:
        path: The JSONL file; pictures are named relative to its folder.
        problems: What to do about wrong lines.
        coordinates: What lines without a `coordinates` key use.

    Raises:
        UserError: No such file, nothing usable in it, or the first wrong line.
    """
    records = []
    for label in read_labels(path, coordinates, problems):
        with problems.guard():
            records.append(_record(label, path))
    return finish(str(path), records, problems)


def _record(label: Label, manifest: Path) -> Record:
    if label.face and label.scheme is None:
        raise UserError(
            f"{label.where}: a face without points cannot train; give its points, or say "
            '"face": false where there is none'
        )
    return Record(
        picture=label.image,
        scheme=label.scheme,
        points=label.points,
        source=label.source,
        key=label_key(label, manifest),
        where=label.where,
        licence=label.licence,
        face=label.face,
        box=label.box,
        weight_xy=label.weight_xy,
        weight_z=label.weight_z,
        visibility=label.visibility,
        group=label.group,
        person=label.person,
        split=label.split,
    )
