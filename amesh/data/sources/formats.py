"""The formats of labelled data sets: how to recognise each, and its reader.

This module is cheap to import, because the command line lists the formats in its help.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from amesh.errors import UserError

FormatName = Literal["auto", "jsonl", "shards", "pts", "face_synthetics", "mat", "coco", "wflw"]


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        sets: Description of data sets in this format, for help texts.
        reader: The function that opens it, as "module:function" in this package.
        takes: Fields of `SourceConfig` that the reader accepts.
        suffix: Suffix of the file, if a data set is a file.
        inside: Pattern of a file that identifies the format, if a data set is a folder.
    """

    sets: str
    reader: str
    takes: tuple[str, ...] = ()
    suffix: str = ""
    inside: str = ""

    def open(self) -> Callable[..., Any]:
        """Imports the reader, which takes a path, `Problems` and the fields.

        It returns a `Source`.
        """
        module, _, name = self.reader.partition(":")
        reader: Callable[..., Any] = getattr(import_module(f"{__package__}.{module}"), name)
        return reader


# In the order in which a folder is searched for them.
FORMATS: dict[FormatName, Format] = {
    "jsonl": Format(
        "manifests (.jsonl)", "manifest:read_manifest", ("coordinates", "outside"), ".jsonl"
    ),
    "shards": Format(
        "folders of shards (written by `amesh label` or `amesh synth`)",
        "shards:ShardSource",
        suffix=".tar",
        inside="*.tar",
    ),
    "pts": Format(
        "folders of .pts files", "pts:read_pts_folder", ("scheme", "licence"), inside="**/*.pts"
    ),
    "face_synthetics": Format(
        "folders of FaceSynthetics",
        "face_synthetics:read_face_synthetics",
        ("coordinates", "licence"),
        inside="**/*_ldmks.txt",
    ),
    "mat": Format(
        "folders of .mat files",
        "mat:read_mat_folder",
        ("coordinates", "licence"),
        inside="**/*.mat",
    ),
    "coco": Format(
        "COCO files (.json)",
        "coco:read_coco",
        ("images", "scheme", "coordinates", "licence", "outside"),
        ".json",
    ),
    "wflw": Format(
        "WFLW lists (.txt)",
        "wflw:read_wflw",
        ("images", "coordinates", "licence", "outside"),
        ".txt",
    ),
}


def detect(path: Path) -> FormatName:
    """Detects the format of a file or folder from its name and content.

    Raises:
        UserError: The path does not exist, or its format is not known.
    """
    for name, one in FORMATS.items():
        if one.suffix and path.suffix.lower() == one.suffix and path.is_file():
            return name
        if one.inside and path.is_dir() and next(path.glob(one.inside), None) is not None:
            return name
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    manifest = path / "landmarks.jsonl"
    if manifest.is_file():
        raise UserError(f"{path}: a folder; give its manifest, {manifest}")
    raise UserError(f"{path}: no labelled set in a known format ({', '.join(FORMATS)})")
