"""Writes labelled faces into shards; the faces of one picture are never parted."""

import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from amesh.data.records import Record
from amesh.data.shards import ShardWriter
from amesh.files import write_atomically
from amesh.labelling.inputs import Share
from amesh.labelling.ledger import SkippedFile, clear_leftovers, locked, shard_name


class Output:
    """A rank's part of the output folder; a context manager.

    A picture counts as done when one of its faces is in a finished shard: so all of them have to
    be in the same one, and shards end between pictures. Ctrl-C finishes the shard that is being
    written; any other exception loses it, and no other.
    """

    def __init__(self, folder: Path, share: Share, faces: int = 1000) -> None:
        """Prepares; nothing is opened yet.

        Args:
            folder: Made where it is missing.
            share: Whose part.
            faces: A shard is finished when it holds so many.
        """
        self.folder, self.share, self.faces = folder, share, faces
        self._name = shard_name(share.rank)
        self._stack = ExitStack()
        self._rows: list[dict[str, Any]] = []
        self._adding = False

    def __enter__(self) -> "Output":
        self.folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            stack.enter_context(locked(self.folder / f".{self._name}.lock"))
            clear_leftovers(self.folder, self.share.rank, self.share.ranks)
            self.skipped = SkippedFile(self.folder, self.share.rank)
            stack.callback(self.skipped.close)
            # The writer would part pictures: it gets no limit of its own.
            self._writer = ShardWriter(self.folder, self._name, faces=sys.maxsize)
            stack.push(self._writer)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        if kind is None or (interrupted and not self._adding):
            with self._stack:
                self.flush()
        else:
            self._stack.__exit__(kind, error, trace)

    def add(self, faces: Sequence[tuple[Record, dict[str, Any]]]) -> None:
        """Writes the faces of one picture, each with its line for `faces-....jsonl`.

        Raises:
            UserError: The disk is full.
        """
        self._adding = True
        for record, row in faces:
            self._writer.add(record)
            self._rows.append({"key": record.key, **row})
        self._adding = False
        if len(self._rows) >= self.faces:
            self.flush()

    def flush(self) -> None:
        """Finishes the shard that is being written; its lines first, as the index ends it."""
        if not self._rows:
            return
        text = "".join(json.dumps(row) + "\n" for row in self._rows)
        write_atomically(
            self.folder / f"{self._name}-{self._writer.number:06d}.jsonl", text.encode()
        )
        self._writer.flush()
        self._rows = []
