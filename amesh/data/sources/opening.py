"""The configuration of a data set in any format, and how it is opened."""

from dataclasses import dataclass
from pathlib import Path

from amesh.data.correction import load_correction
from amesh.data.sources.coordinates import Coordinates
from amesh.data.sources.corrected import Corrected
from amesh.data.sources.formats import FORMATS, FormatName, detect
from amesh.data.sources.problems import Problems
from amesh.data.sources.source import ListSource, Source, finish
from amesh.data.sources.subset import listed
from amesh.errors import UserError


@dataclass(frozen=True)
class SourceConfig:
    """A labelled set on disk.

    Attributes:
        path: A folder or a file, depending on the format.
        format: Name of the format; `auto` detects it.
        images: Folder of the pictures, if they are elsewhere (wflw, coco).
        scheme: Label scheme of the points, if the format does not state it (pts, coco).
        coordinates: `corner`, `index` (centre of the top-left pixel at (0, 0)) or `one` (at
            (1, 1)), if the format does not state it.
        licence: Licence of the pictures, if the format does not state it.
        repeat: How often an epoch contains each face: 2 is twice; 0.1 is a tenth of the faces,
            different ones in each epoch.
        only: List of keys, one per line; only these faces are used.
        without: List of keys of faces that are left out.
        outside: Pictures may lie outside the folder that their names are relative to (jsonl, coco,
            wflw).
        correction: What `amesh correct` measured on these annotations for the network to start
            from. It is taken off them, so that the network keeps its own habit of placing points.
    """

    path: Path
    format: FormatName = "auto"
    images: Path | None = None
    scheme: str | None = None
    coordinates: Coordinates | None = None
    licence: str | None = None
    repeat: float = 1.0
    only: Path | None = None
    without: Path | None = None
    outside: bool = False
    correction: Path | None = None

    def __post_init__(self) -> None:
        if not 0 < self.repeat <= 1000:
            raise UserError(f"{self.path}: repeat is {self.repeat}, expected above 0, up to 1000")


def open_source(config: SourceConfig, problems: Problems) -> Source:
    """Opens a set for training, with its lists of keys and its correction applied.

    Raises:
        UserError: As in `open_labels`; also if a face has no points, or a list of keys or the
            correction is invalid.
    """
    source = open_labels(config, problems)
    if isinstance(source, ListSource):
        source = _trainable(source, problems)
    source = listed(source, config.only, config.without)
    if config.correction is None:
        return source
    return Corrected(source, load_correction(config.correction))


def open_labels(config: SourceConfig, problems: Problems) -> Source:
    """Opens a set with all its labels: with faces without points, and ignoring its lists of keys.

    Raises:
        UserError: There is no such set, its format is unknown, or the config has a field that does
            not apply to this format.
    """
    name = config.format if config.format != "auto" else detect(config.path)
    known = FORMATS[name]
    fields = ("images", "scheme", "coordinates", "licence", "outside")
    values = {field: getattr(config, field) for field in fields}
    given = {field: value for field, value in values.items() if value not in (None, False)}
    for field in given:
        if field not in known.takes:
            raise UserError(f"{config.path}: {name} sources take no {field!r}; remove it")
    source: Source = known.open()(config.path, problems, **given)
    return source


def _trainable(source: ListSource, problems: Problems) -> ListSource:
    faces = []
    for face in source.faces:
        with problems.guard():
            if face.face and face.scheme is None:
                raise UserError(
                    f"{face.where}: a face without points cannot be trained on; add its points, or "
                    '"face": false if there is none'
                )
            faces.append(face)
    return finish(source.name, faces, problems)
