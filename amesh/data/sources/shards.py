"""Random access to the shards of `amesh.data.sources.shard_files`."""

import io
import os
import zlib
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from jaxtyping import Float32

from amesh.data.sources.labelled_face import LabelledFace, StoredPicture, check_points
from amesh.data.sources.problems import Problems
from amesh.data.sources.shard_files import (
    COLUMNS,
    INDEX_SUFFIX,
    Facts,
    Index,
    IndexEntry,
    read_index,
)
from amesh.data.sources.source import Entry
from amesh.errors import UserError
from amesh.json_lines import parse

# Shards that are kept open. Systems allow a process 256 files (macOS) or 1024.
_OPEN = 128


class ShardSource:
    """Faces in shards. It keeps positions instead of pictures, and can be pickled for workers."""

    def __init__(self, path: Path, problems: Problems) -> None:
        """Reads the indices.

        Args:
            path: A folder of shards, or one `.tar`.
            problems: Handles damaged shards.

        Raises:
            UserError: There is no usable shard, or one is damaged.
        """
        self.name = str(path)
        if not path.exists():
            raise UserError(f"{path}: no such file or folder")
        tars = sorted(path.glob("*.tar")) if path.is_dir() else [path]
        if not tars:
            raise UserError(f"{path}: no .tar file in it")
        self._tars: list[tuple[Path, int]] = []  # with their sizes
        self._faces: list[tuple[int, IndexEntry]] = []
        for tar in tars:
            with problems.guard():
                index = _checked(tar)
                self._faces += [(len(self._tars), entry) for entry in index.faces]
                self._tars.append((tar, index.size))
        if not self._faces:
            raise problems.nothing_left(str(path))
        self.entries = [
            Entry(one.key, one.person, one.licence, one.scheme is not None)
            for _, one in self._faces
        ]
        self.schemes = frozenset(one.scheme for _, one in self._faces if one.scheme is not None)
        self._open: dict[int, int] = {}
        self._process = os.getpid()

    def __len__(self) -> int:
        return len(self._faces)

    def __getitem__(self, index: int) -> LabelledFace:
        tar, entry = self._faces[index]
        path = self._tars[tar][0]
        where = f"{path}, face at byte {entry.picture[0]}"
        picture_crc, facts_crc, rows_crc = entry.crc32 or (None, None, None)
        read = partial(self._read, tar, entry.picture, picture_crc)
        facts = parse(self._read(tar, entry.json, facts_crc), Facts, f"{where}: damaged labels")
        rows = _rows(self._read(tar, entry.npy, rows_crc), where)
        return LabelledFace(
            picture=StoredPicture(path / facts.key, read),
            where=where,
            points=rows[:, :3],
            weight_xy=rows[:, 3],
            weight_z=rows[:, 4],
            visibility=rows[:, 5],
            **msgspec.structs.asdict(facts),
        )

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_open": {}}

    def __del__(self) -> None:
        if getattr(self, "_process", None) == os.getpid():
            for descriptor in self._open.values():
                os.close(descriptor)

    def _read(self, tar: int, place: tuple[int, int], crc32: int | None) -> bytes:
        (path, size), (start, length) = self._tars[tar], place
        if not 0 <= start <= start + length <= size:
            raise UserError(
                f"{path}: its index refers to bytes {start} to {start + length} of {size}"
            )
        if self._process != os.getpid():
            # After a fork, the open descriptors belong to the parent.
            self._open, self._process = {}, os.getpid()
        try:
            if tar not in self._open:
                if len(self._open) >= _OPEN:
                    os.close(self._open.pop(next(iter(self._open))))  # the one opened first
                self._open[tar] = os.open(path, os.O_RDONLY)
            content = os.pread(self._open[tar], length, start)
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from error
        if len(content) != length:
            raise UserError(f"{path}: truncated: {len(content)} of {length} bytes at byte {start}")
        if crc32 is not None and zlib.crc32(content) != crc32:
            raise UserError(
                f"{path}: damaged at byte {start}: its CRC-32 does not match; copy it again"
            )
        return content


def _rows(content: bytes, where: str) -> Float32[np.ndarray, "k 6"]:
    """Reads the table of an `.npy` member, without allocating the size that its header states."""
    try:
        file = io.BytesIO(content)
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        rows = np.frombuffer(content, dtype, offset=file.tell()).reshape(shape)
    except ValueError as error:
        raise UserError(f"{where}: damaged labels ({error})") from error
    if rows.dtype != np.float32 or rows.ndim != 2 or rows.shape[1] != len(COLUMNS):
        raise UserError(
            f"{where}: labels of shape {rows.shape}, expected float32 (k, {len(COLUMNS)})"
        )
    if len(rows):
        check_points(rows[:, :3], where)
    return rows


def _checked(tar: Path) -> Index:
    index = read_index(tar.with_name(tar.name + INDEX_SUFFIX))
    found = tar.stat().st_size if tar.is_file() else -1
    if found < 0:
        raise UserError(f"{tar}: missing; copy or write it again")
    if found != index.size:
        raise UserError(
            f"{tar}: has {found} bytes, but its index says {index.size}: it is truncated, or "
            "another file; copy or write it again"
        )
    return index
