"""One way to name a source in a config, whatever its format."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from amesh.data.sources.coco import read_coco
from amesh.data.sources.face_synthetics import read_face_synthetics
from amesh.data.sources.files import Coordinates, Format
from amesh.data.sources.manifest import read_manifest
from amesh.data.sources.mat import read_mat_folder
from amesh.data.sources.pts import read_pts_folder
from amesh.data.sources.records import Problems, Source
from amesh.data.sources.shards import ShardSource
from amesh.data.sources.subset import listed
from amesh.data.sources.wflw import read_wflw
from amesh.errors import UserError


@dataclass(frozen=True)
class SourceConfig:
    """A labelled set on disk.

    Attributes:
        path: A folder or a file, as the format has it.
        format: `auto` looks.
        images: Folder of the pictures, where they lie elsewhere (wflw, coco).
        scheme: Of the points, where the format leaves it open (pts, coco).
        coordinates: `corner`, `index` (centre of the top-left pixel at (0, 0)) or `one` (at
            (1, 1)), where the format leaves it open.
        licence: Terms of the pictures, where the format has no place for them.
        repeat: How often an epoch holds each face: 2 is twice, 0.1 a tenth of them, others each
            time.
        only: A text file with a key on each line: only these faces.
        without: Another one: all but these faces.
    """

    path: Path
    format: Format = "auto"
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


# Which of the config's fields each reader takes.
_READERS: dict[str, tuple[Callable[..., Source], tuple[str, ...]]] = {
    "shards": (ShardSource, ()),
    "jsonl": (read_manifest, ("coordinates",)),
    "pts": (read_pts_folder, ("scheme", "licence")),
    "wflw": (read_wflw, ("images", "coordinates", "licence")),
    "mat": (read_mat_folder, ("coordinates", "licence")),
    "coco": (read_coco, ("images", "scheme", "coordinates", "licence")),
    "face_synthetics": (read_face_synthetics, ("coordinates", "licence")),
}


def open_source(config: SourceConfig, problems: Problems) -> Source:
    """Opens a source.

    Raises:
        UserError: There is no such set, it is in no known format, or the config has a field that
            this format has no use for.
    """
    kind = config.format if config.format != "auto" else detect_format(config.path)
    reader, takes = _READERS[kind]
    given: dict[str, Any] = {}
    for name in ("images", "scheme", "coordinates", "licence"):
        value = getattr(config, name)
        if value is None:
            continue
        if name not in takes:
            raise UserError(f"{config.path}: {kind} sources take no {name!r}; leave it out")
        given[name] = value
    if kind == "jsonl" and given.get("coordinates") == "one":
        raise UserError(f"{config.path}: coordinates of a manifest are 'corner' or 'index'")
    return listed(reader(config.path, problems, **given), config.only, config.without)


def detect_format(path: Path) -> Format:
    """What a path holds, by its name and by what lies in it.

    Raises:
        UserError: There is nothing, or nothing known.
    """
    by_suffix = {".jsonl": "jsonl", ".json": "coco", ".tar": "shards", ".txt": "wflw"}
    if path.is_file() and path.suffix.lower() in by_suffix:
        return cast(Format, by_suffix[path.suffix.lower()])
    if path.is_dir():
        for pattern, kind in (
            ("*.tar", "shards"),
            ("**/*.pts", "pts"),
            ("**/*_ldmks.txt", "face_synthetics"),
            ("**/*.mat", "mat"),
        ):
            if next(path.glob(pattern), None) is not None:
                return cast(Format, kind)
        manifest = path / "landmarks.jsonl"
        if manifest.is_file():
            raise UserError(f"{path}: a folder; give its manifest, {manifest}")
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    raise UserError(f"{path}: no labelled set in a known format ({', '.join(_READERS)}) is there")
