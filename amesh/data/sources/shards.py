"""Reads the shards of `amesh.data.sources.shard_files`: any face by one read."""

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from amesh.data.sources.records import Entry, Problems, Record, check_points
from amesh.data.sources.shard_files import COLUMNS, INDEX_SUFFIX, read_index
from amesh.errors import UserError


class ShardSource:
    """Faces in shards. Holds places, not pictures; safe to hand to worker processes."""

    def __init__(self, path: Path, problems: Problems) -> None:
        """Reads the indices.

        Args:
            path: A folder of shards, or one `.tar`.
            problems: What to do about a shard that is damaged as a whole.

        Raises:
            UserError: No shard, none usable, or the first damaged one.
        """
        self.name = str(path)
        if not path.exists():
            raise UserError(f"{path}: no such file or folder")
        tars = sorted(path.glob("*.tar")) if path.is_dir() else [path]
        if not tars:
            raise UserError(f"{path}: no .tar file in it")
        self._tars: list[Path] = []
        self._faces: list[tuple[int, tuple[int, ...]]] = []
        self.entries: list[Entry] = []
        schemes: set[str] = set()
        for tar in tars:
            with problems.guard():
                entries = _checked(tar)
                for entry in entries:
                    places = (*entry["picture"], *entry["json"], *entry["npy"])
                    self._faces.append((len(self._tars), places))
                    known = (entry["key"], entry.get("person"), entry.get("licence"))
                    self.entries.append(Entry(*known))
                schemes |= {entry["scheme"] for entry in entries if entry["scheme"] is not None}
                self._tars.append(tar)
        if not self._faces:
            first = f"; the first problem: {problems.messages[0]}" if problems.messages else ""
            raise UserError(f"{path}: no labelled face in it{first}")
        self.schemes = frozenset(schemes)
        self._open: dict[int, int] = {}
        self._process = os.getpid()

    def __len__(self) -> int:
        return len(self._faces)

    def __getitem__(self, index: int) -> Record:
        tar, places = self._faces[index]
        where = f"{self._tars[tar]}, face at byte {places[0]}"
        picture, text, table = (self._read(tar, *places[i : i + 2]) for i in (0, 2, 4))
        try:
            facts: dict[str, Any] = json.loads(text)
            rows = np.load(io.BytesIO(table), allow_pickle=False)
            box = facts["box"]
            known = {key: facts[key] for key in ("scheme", "source", "key", "licence", "face")}
            known |= {key: facts[key] for key in ("group", "person", "split")}
        except (ValueError, KeyError, TypeError, EOFError) as error:
            raise UserError(f"{where}: damaged labels ({error})") from error
        if rows.ndim != 2 or rows.shape[1] != len(COLUMNS):
            raise UserError(f"{where}: labels of shape {rows.shape}, expected (k, {len(COLUMNS)})")
        if len(rows):
            check_points(rows[:, :3], where)
        return Record(
            picture=picture,
            points=rows[:, :3],
            where=where,
            box=None if box is None else tuple(box),
            weight_xy=rows[:, 3],
            weight_z=rows[:, 4],
            visibility=rows[:, 5],
            **known,
        )

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_open": {}}

    def __del__(self) -> None:
        if getattr(self, "_process", None) == os.getpid():
            for descriptor in self._open.values():
                os.close(descriptor)

    def _read(self, tar: int, start: int, length: int) -> bytes:
        if self._process != os.getpid():
            # After a fork: the parent's descriptors stay the parent's.
            self._open, self._process = {}, os.getpid()
        try:
            if tar not in self._open:
                self._open[tar] = os.open(self._tars[tar], os.O_RDONLY)
            content = os.pread(self._open[tar], length, start)
        except OSError as error:
            raise UserError(f"{self._tars[tar]}: cannot be read ({error.strerror})") from error
        if len(content) != length:
            raise UserError(
                f"{self._tars[tar]}: cut short: {len(content)} bytes of {length} at byte {start}"
            )
        return content


def _checked(tar: Path) -> list[dict[str, Any]]:
    index = read_index(tar.with_name(tar.name + INDEX_SUFFIX))
    found = tar.stat().st_size if tar.is_file() else -1
    if found != index["size"]:
        problem = "is missing" if found < 0 else f"has {found} bytes, its index says"
        size = "" if found < 0 else f" {index['size']}: cut short, or another file"
        raise UserError(f"{tar}: {problem}{size}; copy or write it again")
    entries: list[dict[str, Any]] = index["faces"]
    return entries
