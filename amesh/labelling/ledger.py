"""The state of the output folder: finished faces, skipped inputs, and leftovers.

Rank 3 writes `faces-0003-000000.tar` with its index, `faces-0003-000000.jsonl` (one line per face:
score, disagreement and metadata) and `skipped-0003.jsonl` (one line per input without a usable
face, written immediately). Every rank reads the files of all ranks.
"""

import json
import re
import time
from pathlib import Path
from typing import Literal

from amesh.data.sources.keys import face_key
from amesh.data.sources.shard_files import INDEX_SUFFIX, written_keys
from amesh.files import as_user_error

Reason = Literal["no face", "dropped", "unreadable"]
SHARDS = "faces"
_LEFTOVER = re.compile(r"\.?faces-(\d{4,})-\d{6}\.(tar|jsonl)(\.index\.json)?(\..+)?")


def shard_name(rank: int) -> str:
    """Name of this rank's shards, without their number."""
    return f"{SHARDS}-{rank:04d}"


def input_key(name: str, frame: int) -> str:
    """Key of a picture or a frame of a clip; its faces append `:0`, `:1`, ..."""
    return face_key(name, frame)


def finished(folder: Path) -> set[str]:
    """Keys of pictures and frames whose faces are in finished shards of any rank."""
    return {key.rpartition(":")[0] for key in written_keys(folder, SHARDS)}


class SkippedFile:
    """A rank's list of inputs that gave no face; each line is written immediately."""

    def __init__(self, folder: Path, rank: int) -> None:
        """Opens the list for appending.

        Raises:
            UserError: The file cannot be written.
        """
        self.path = folder / f"skipped-{rank:04d}.jsonl"
        with as_user_error(self.path):
            self._file = self.path.open("ab")
            if self._file.tell() and not self.path.read_bytes().endswith(b"\n"):
                self._file.write(b"\n")  # the last line was cut off when a process was killed

    def add(self, key: str, reason: Reason, detail: str = "") -> None:
        """Appends a line."""
        known = {"key": key, "reason": reason, "detail": detail, "time": time.time()}
        line = json.dumps(known)
        with as_user_error(self.path):
            self._file.write(line.encode() + b"\n")
            self._file.flush()

    def close(self) -> None:
        """Closes the list and deletes it if it is empty."""
        self._file.close()
        if not self.path.stat().st_size:
            self.path.unlink()


def clear_leftovers(folder: Path, rank: int, ranks: int) -> list[Path]:
    """Removes what a killed process left unfinished: shards without an index, temporary files.

    A rank removes only its own, because other ranks may be writing now; rank 0 also removes those
    of ranks that no longer exist.

    Returns:
        The removed files.
    """
    removed = []
    for path in sorted(folder.iterdir()):
        match = _LEFTOVER.fullmatch(path.name)
        if match is None:
            continue
        owner = int(match[1])
        ours = owner == rank or (rank == 0 and owner >= ranks)
        shard = path.name.lstrip(".").split(".")[0]
        whole = (folder / f"{shard}.tar{INDEX_SUFFIX}").is_file()
        if ours and (path.name.startswith(".") or not whole):
            path.unlink()
            removed.append(path)
    return removed
