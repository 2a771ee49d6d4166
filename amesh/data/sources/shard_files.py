"""Indexed tar shards: the set as it is trained on, and as WebDataset reads it.

A shard is a plain tar file. Each face is three members with one name: the encoded picture
(`.jpg`, `.png`, ...), `.json` (scheme, source, licence, key, ...) and `.npy` (float32, a row for
each point: x, y, z, weight of x and y, weight of z, visibility; corner coordinates). Beside it lies
`NAME.tar.index.json` with the tar's size and the places of the members, so that any face is one
read. Tar and index appear whole or not at all.
"""

import io
import json
import re
import tarfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import Float32

from amesh.data.sources.records import Record, check_points
from amesh.errors import UserError
from amesh.files import as_user_error, replacing, write_atomically

INDEX_SUFFIX = ".index.json"
COLUMNS = ("x", "y", "z", "weight_xy", "weight_z", "visibility")
_VERSION = 1
_SIGNATURES = ((b"\xff\xd8", "jpg"), (b"\x89PNG", "png"), (b"RIFF", "webp"), (b"BM", "bmp"))


class ShardWriter:
    """Writes records into shards; a context manager.

    An exception leaves the shards that were finished, and no part of the one that was not.
    """

    def __init__(self, folder: Path, name: str = "faces", faces: int = 1000) -> None:
        """Prepares; the first shard is begun with the first record.

        Args:
            folder: Made where it is missing. Shards that are there stay: numbers go on.
            name: Shards are called `name-000000.tar` and so on; give each process its own.
            faces: In a shard, at most.
        """
        self.folder, self.name, self.faces = folder, name, faces
        self.number = next_number(folder, name)
        self._stack = ExitStack()
        self._tar: tarfile.TarFile | None = None
        self._entries: list[dict[str, Any]] = []

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.flush()
        else:
            self._stack.__exit__(kind, error, trace)

    def add(self, record: Record) -> None:
        """Writes one face, its picture as it is.

        Raises:
            UserError: The picture is missing, or the disk is full.
        """
        picture = record.read_picture()
        path = self._path()
        with as_user_error(path):
            if self._tar is None:
                file = self._stack.enter_context(replacing(path))
                self._tar = tarfile.TarFile(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT)
            stem = f"{self.name}-{self.number:06d}-{len(self._entries):06d}"
            suffix = next((s for sign, s in _SIGNATURES if picture.startswith(sign)), "img")
            labels = io.BytesIO()
            np.save(labels, _table(record))
            place: dict[str, Any] = {"key": record.key, "scheme": record.scheme}
            place |= {"person": record.person, "licence": record.licence}
            place["picture"] = self._member(f"{stem}.{suffix}", picture)
            place["json"] = self._member(f"{stem}.json", json.dumps(_facts(record)).encode())
            place["npy"] = self._member(f"{stem}.npy", labels.getvalue())
        self._entries.append(place)
        if len(self._entries) >= self.faces:
            self.flush()

    def flush(self) -> None:
        """Finishes the shard that is being written."""
        if self._tar is None:
            return
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
        write_atomically(path.with_name(path.name + INDEX_SUFFIX), json.dumps(index).encode())
        self._entries = []
        self.number += 1

    def _path(self) -> Path:
        return self.folder / f"{self.name}-{self.number:06d}.tar"

    def _member(self, name: str, content: bytes) -> list[int]:
        """Writes a member; returns where its content lies."""
        assert self._tar is not None
        info = tarfile.TarInfo(name)  # no times, no owners: the same faces make the same bytes
        info.size = len(content)
        start = self._tar.offset + tarfile.BLOCKSIZE
        self._tar.addfile(info, io.BytesIO(content))
        return [start, len(content)]


def next_number(folder: Path, name: str) -> int:
    """The number after the highest one that a finished shard has; gaps are not filled."""
    pattern = re.compile(rf"{re.escape(name)}-(\d+)\.tar{re.escape(INDEX_SUFFIX)}")
    found = (pattern.fullmatch(path.name) for path in folder.glob(f"*.tar{INDEX_SUFFIX}"))
    return max((int(match[1]) + 1 for match in found if match), default=0)


def written_keys(folder: Path, name: str = "faces") -> set[str]:
    """The keys that finished shards hold: what a resumed run need not do again."""
    found: set[str] = set()
    for path in sorted(folder.glob(f"{name}-*.tar{INDEX_SUFFIX}")):
        found.update(entry["key"] for entry in read_index(path)["faces"])
    return found


def read_index(path: Path) -> dict[str, Any]:
    """An index file.

    Raises:
        UserError: It is missing, damaged, or of another version.
    """
    try:
        index: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = index["version"]
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; a shard needs its index beside it") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: a damaged index ({error})") from error
    if version != _VERSION:
        raise UserError(f"{path}: an index of version {version}, this program reads {_VERSION}")
    return index


def _table(record: Record) -> Float32[np.ndarray, "k 6"]:
    count, dimensions = record.points.shape
    if count:
        check_points(record.points, record.where)
    table = np.zeros((count, len(COLUMNS)), np.float32)
    table[:, :dimensions] = record.points
    table[:, 3] = 1.0 if record.weight_xy is None else record.weight_xy
    deep = float(dimensions == 3)
    table[:, 4] = deep if record.weight_z is None else record.weight_z * deep
    table[:, 5] = 1.0 if record.visibility is None else record.visibility
    return table


def _facts(record: Record) -> dict[str, Any]:
    names = ("scheme", "source", "key", "licence", "face", "box", "group", "person", "split")
    return {name: getattr(record, name) for name in names}
