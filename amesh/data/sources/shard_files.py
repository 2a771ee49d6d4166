"""Indexed tar shards: the format of training sets, readable by WebDataset.

A shard is a plain tar file. Each face has three members with one name: the encoded picture
(`.jpg`, `.png`, ...), `.json` (scheme, source, licence, key, ...) and `.npy` (float32, a row for
each point: x, y, z, weight of x and y, weight of z, visibility; corner coordinates). The index
`NAME.tar.index.json` beside it has the tar's size and the positions of the members, for random
access, and the CRC-32 of each member and of itself; shards of earlier versions have no CRC-32 and
are read unchecked. An interruption never leaves a partial tar or index.
"""

import io
import json
import re
import tarfile
import zlib
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import numpy as np
from jaxtyping import Float32

from amesh.data.sources.labelled_face import LabelledFace, check_points
from amesh.errors import UserError
from amesh.files import as_user_error, replacing, write_atomically
from amesh.json_lines import parse

INDEX_SUFFIX = ".index.json"
COLUMNS = ("x", "y", "z", "weight_xy", "weight_z", "visibility")
_VERSION = 1
_SEAL = b', "checksum": '
_SIGNATURES = ((b"\xff\xd8", "jpg"), (b"\x89PNG", "png"), (b"RIFF", "webp"), (b"BM", "bmp"))


class Facts(msgspec.Struct):
    """The metadata of a face: its `.json` member."""

    scheme: str | None
    source: str
    key: str
    licence: str | None
    face: bool
    box: tuple[float, float, float, float] | None
    group: str
    person: str | None
    split: str | None


class IndexEntry(msgspec.Struct, kw_only=True):
    """A face in an index.

    Attributes:
        picture: Position of the picture: first byte and number of bytes.
        json: Position of the metadata.
        npy: Position of the points.
        crc32: CRC-32 of the three; None in shards of earlier versions.
    """

    key: str
    scheme: str | None
    person: str | None = None
    licence: str | None = None
    picture: tuple[int, int]
    json: tuple[int, int]
    npy: tuple[int, int]
    crc32: tuple[int, int, int] | None = None


class Version(msgspec.Struct):
    """The part that all versions of an index have."""

    version: int


class Index(Version):
    """The index of a shard.

    Attributes:
        size: Size of the tar [bytes].
        faces: The faces in the order in which they were written.
    """

    size: int
    faces: list[IndexEntry]


class ShardWriter:
    """A context manager that writes labelled faces into shards.

    Ctrl-C and errors finish the current shard, so that its faces are not lost; if they strike while
    faces are added, they discard it.

    Attributes:
        torn: Whether the current shard is to be discarded in that case.
    """

    def __init__(self, folder: Path, name: str = "faces", faces: int = 1000) -> None:
        """Initialises the writer; the first face starts the first shard.

        Args:
            folder: Output folder, created if missing. Existing shards are kept, and numbering
                continues.
            name: Shards are named `name-000000.tar` and so on; each process needs its own name.
            faces: A shard that has this many faces is finished.
        """
        self.folder, self.name, self.faces = folder, name, faces
        self.number = next_number(folder, name)
        self._stack = ExitStack()
        self._tar: tarfile.TarFile | None = None
        self._entries: list[dict[str, Any]] = []
        self.torn = False

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self.torn:
            self.flush()
        else:
            self._stack.__exit__(kind, error, trace)

    def add(self, *faces: LabelledFace) -> None:
        """Writes faces, all into one shard, with their encoded pictures, unchanged.

        Raises:
            UserError: A picture is missing, a point is not finite, or the disk is full.
        """
        self.torn = True
        for face in faces:
            self._add(face)
        self.torn = False
        if len(self._entries) >= self.faces:
            self.flush()

    def _add(self, face: LabelledFace) -> None:
        picture = face.read_picture()
        path = self._path()
        with as_user_error(path):
            if self._tar is None:
                file = self._stack.enter_context(replacing(path))
                self._tar = tarfile.TarFile(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT)
            stem = f"{self.name}-{self.number:06d}-{len(self._entries):06d}"
            suffix = next((s for sign, s in _SIGNATURES if picture.startswith(sign)), "img")
            labels = io.BytesIO()
            np.save(labels, _table(face))
            place: dict[str, Any] = {"key": face.key, "scheme": face.scheme}
            place |= {"person": face.person, "licence": face.licence}
            members = {
                "picture": (suffix, picture),
                "json": ("json", json.dumps(_facts(face)).encode()),
                "npy": ("npy", labels.getvalue()),
            }
            for name, (ending, content) in members.items():
                place[name] = self._member(f"{stem}.{ending}", content)
            place["crc32"] = [zlib.crc32(content) for _, content in members.values()]
        self._entries.append(place)

    def flush(self) -> None:
        """Finishes the current shard."""
        if self._tar is None:
            return
        self.torn = True
        path = self._path()
        with as_user_error(path):
            self._tar.close()
        self._stack.close()
        self._tar = None
        index = {
            "version": _VERSION,
            "size": path.stat().st_size,
            "columns": COLUMNS,
            "faces": self._entries,
        }
        write_atomically(path.with_name(path.name + INDEX_SUFFIX), _sealed(index))
        self._entries = []
        self.number += 1
        self.torn = False

    def _path(self) -> Path:
        return self.folder / f"{self.name}-{self.number:06d}.tar"

    def _member(self, name: str, content: bytes) -> list[int]:
        """Writes a member; returns the position and size of its content."""
        assert self._tar is not None
        info = tarfile.TarInfo(name)  # without times and owners, the output is reproducible
        info.size = len(content)
        start = self._tar.offset + tarfile.BLOCKSIZE
        self._tar.addfile(info, io.BytesIO(content))
        return [start, len(content)]


def next_number(folder: Path, name: str) -> int:
    """Returns the highest number of a finished shard plus one; gaps are not filled."""
    pattern = re.compile(rf"{re.escape(name)}-(\d+)\.tar{re.escape(INDEX_SUFFIX)}")
    found = (pattern.fullmatch(path.name) for path in folder.glob(f"*.tar{INDEX_SUFFIX}"))
    return max((int(match[1]) + 1 for match in found if match), default=0)


def written_keys(folder: Path, name: str = "faces") -> set[str]:
    """Returns the keys in finished shards, which a resumed run skips."""
    found: set[str] = set()
    for path in sorted(folder.glob(f"{name}-*.tar{INDEX_SUFFIX}")):
        found.update(entry.key for entry in read_index(path).faces)
    return found


def read_index(path: Path) -> Index:
    """Reads an index file.

    Raises:
        UserError: The file is missing, damaged, or of another version.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; a shard needs its index beside it") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    _check_seal(content, path)
    version = parse(content, Version, f"{path}: a damaged index").version
    if version != _VERSION:
        raise UserError(f"{path}: an index of version {version}, expected {_VERSION}")
    return parse(content, Index, f"{path}: a damaged index")


def _sealed(index: dict[str, Any]) -> bytes:
    """Returns an index as JSON whose last entry is the CRC-32 of the JSON without that entry."""
    body = json.dumps(index).encode()
    return body.removesuffix(b"}") + _SEAL + b"%d}" % zlib.crc32(body)


def _check_seal(content: bytes, path: Path) -> None:
    body, found, seal = content.rpartition(_SEAL)
    if not found and b'"crc32": [' not in content:
        return  # written by an earlier version
    if seal != b"%d}" % zlib.crc32(body + b"}"):
        raise UserError(
            f"{path}: a damaged index: its CRC-32 does not match; copy or write the shard again"
        )


def _table(face: LabelledFace) -> Float32[np.ndarray, "k 6"]:
    count, dimensions = face.points.shape
    if count:
        check_points(face.points, face.where)
    table = np.zeros((count, len(COLUMNS)), np.float32)
    table[:, :dimensions] = face.points
    xy, z = face.weights()
    table[:, 3], table[:, 4] = xy, z
    table[:, 5] = 1.0 if face.visibility is None else face.visibility
    return table


def _facts(face: LabelledFace) -> dict[str, Any]:
    return {name: getattr(face, name) for name in Facts.__struct_fields__}
