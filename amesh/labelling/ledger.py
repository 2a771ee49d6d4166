"""What lies in the output folder: finished faces, inputs that gave none, and who is writing.

Files of rank 3: `faces-0003-000000.tar` with its index, `faces-0003-000000.jsonl` (score,
disagreement and facts of its faces, a line each), `skipped-0003.jsonl` (inputs without a usable
face, a line each, written at once). Whatever rank wrote something, every rank reads it.
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
    """What this rank's shards are called, but for their number."""
    return f"{SHARDS}-{rank:04d}"


def input_key(name: str, frame: int) -> str:
    """Names a picture, or a frame of a clip; `:0`, `:1`, ... behind it its faces."""
    return face_key(name, frame)


def finished(folder: Path) -> set[str]:
    """Pictures and frames whose faces are in finished shards, of any rank."""
    return {key.rpartition(":")[0] for key in written_keys(folder, SHARDS)}


class SkippedFile:
    """Appends to a rank's list of inputs that gave no face; each line is there at once."""

    def __init__(self, folder: Path, rank: int) -> None:
        """Opens the list.

        Raises:
            UserError: It cannot be written.
        """
        self.path = folder / f"skipped-{rank:04d}.jsonl"
        with as_user_error(self.path):
            self._file = self.path.open("ab")
            if self._file.tell() and not self.path.read_bytes().endswith(b"\n"):
                self._file.write(b"\n")  # the last line was cut off when a process was killed

    def add(self, key: str, reason: Reason, detail: str = "") -> None:
        """Writes a line."""
        known = {"key": key, "reason": reason, "detail": detail, "time": time.time()}
        line = json.dumps(known)
        with as_user_error(self.path):
            self._file.write(line.encode() + b"\n")
            self._file.flush()

    def close(self) -> None:
        """Closes the list; an empty one goes."""
        self._file.close()
        if not self.path.stat().st_size:
            self.path.unlink()


def clear_leftovers(folder: Path, rank: int, ranks: int) -> list[Path]:
    """Removes what a killed process left by halves: shards without index, temporary files.

    Only of this rank, and, as rank 0, of ranks that do not exist any more: another rank may be
    writing now.

    Returns:
        What was removed.
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
