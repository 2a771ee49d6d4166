"""One way to name a data set in a config, whatever its format."""

from dataclasses import dataclass
from pathlib import Path

from amesh.data.sources.coordinates import Coordinates
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
        licence: Terms of the pictures, if the format has no place for them.
        repeat: How often an epoch contains each face: 2 is twice; 0.1 is a tenth of the faces,
            different ones in each epoch.
        only: List of keys, one a line: no other faces are used.
        without: List of keys: these faces are left out.
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

    def __post_init__(self) -> None:
        if not 0 < self.repeat <= 1000:
            raise UserError(f"{self.path}: repeat is {self.repeat}, expected above 0 to 1000")


def open_source(config: SourceConfig, problems: Problems) -> Source:
    """Opens a set to train on.

    Raises:
        UserError: As `open_labels`; also if a face has no points, which cannot train.
    """
    source = open_labels(config, problems)
    if isinstance(source, ListSource):
        source = _trainable(source, problems)
    return listed(source, config.only, config.without)


def open_labels(config: SourceConfig, problems: Problems) -> Source:
    """Opens a set with all its labels, faces without points included, whatever its key lists say.

    Raises:
        UserError: There is no such set, its format is unknown, or the config has a field that does
            not apply to this format.
    """
    name = config.format if config.format != "auto" else detect(config.path)
    known = FORMATS[name]
    fields = ("images", "scheme", "coordinates", "licence")
    given = {field: value for field in fields if (value := getattr(config, field)) is not None}
    for field in given:
        if field not in known.takes:
            raise UserError(f"{config.path}: {name} sources take no {field!r}; leave it out")
    source: Source = known.open()(config.path, problems, **given)
    return source


def _trainable(source: ListSource, problems: Problems) -> ListSource:
    faces = []
    for face in source.faces:
        with problems.guard():
            if face.face and face.scheme is None:
                raise UserError(
                    f"{face.where}: a face without points cannot train; give its points, or "
                    '"face": false if there is none'
                )
            faces.append(face)
    return finish(source.name, faces, problems)
