"""Writes labelled faces into shards; the faces of one picture stay in one shard."""

import io
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from msgspec.structs import asdict
from PIL import Image

from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.labelled_folder import FaceFigures
from amesh.data.sources.shard_files import ShardWriter
from amesh.files import locked, make_folder, write_atomically
from amesh.labelling.ledger import SkippedFile, clear_leftovers, shard_name
from amesh.labelling.sources import Share
from amesh.pipeline.images import read_image


class Output:
    """A rank's part of the output folder; a context manager.

    A picture counts as done once one of its faces is in a finished shard, so all of its faces must
    be in the same shard: shards end between pictures. Ctrl-C and errors finish the current shard,
    unless they strike while a picture is added: that discards it, and only it.
    """

    def __init__(self, folder: Path, share: Share, faces: int = 1000) -> None:
        """Prepares the output; nothing is opened yet.

        Args:
            folder: The output folder; created if it is missing.
            share: This rank's share of the work.
            faces: Finish a shard once it holds this many faces.
        """
        self.folder, self.share, self.faces = folder, share, faces
        self._name = shard_name(share.rank)
        self._stack = ExitStack()
        self._rows: list[dict[str, Any]] = []
        self._adding = False

    def __enter__(self) -> "Output":
        make_folder(self.folder)
        with ExitStack() as stack:
            taken = (
                f"{self.folder}: another process is labelling into this folder as the same rank; "
                "wait for it, or give each process its own --rank"
            )
            stack.enter_context(locked(self.folder / f".{self._name}.lock", taken))
            clear_leftovers(self.folder, self.share.rank, self.share.ranks)
            self.skipped = SkippedFile(self.folder, self.share.rank)
            stack.callback(self.skipped.close)
            # A limit of the writer's own would split pictures across shards.
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
        if not self._adding:
            with self._stack:
                self.flush()
        else:
            self._writer.torn = True
            self._stack.__exit__(kind, error, trace)

    def add(self, faces: Sequence[tuple[LabelledFace, FaceFigures]]) -> None:
        """Writes the faces of one picture, each with its line in `faces-....jsonl`.

        Raises:
            UserError: The disk is full.
        """
        self._adding = True
        self._writer.add(*(face for face, _ in faces))
        self._rows += [asdict(figures) for _, figures in faces]
        self._adding = False
        if len(self._rows) >= self.faces:
            self.flush()

    def flush(self) -> None:
        """Finishes the current shard: its lines first, because the index marks it finished."""
        if not self._rows:
            return
        text = "".join(json.dumps(row) + "\n" for row in self._rows)
        write_atomically(
            self.folder / f"{self._name}-{self._writer.number:06d}.jsonl", text.encode()
        )
        self._writer.flush()
        self._rows = []


_QUALITY = 95


@dataclass(frozen=True, eq=False)
class Opened:
    """A decoded picture.

    Attributes:
        pixels: RGB, upright.
        file: The file it came from; None for a frame of a video.
    """

    pixels: UInt8[np.ndarray, "h w 3"]
    file: Path | None = None


def open_picture(path: Path) -> Opened:
    """Reads a picture file.

    Raises:
        UserError: The file is missing, not a picture, damaged or too large.
    """
    return Opened(read_image(path), path)


def store(
    picture: Opened, landmarks: Float32[np.ndarray, "n 3"], cut: float
) -> tuple[bytes, tuple[int, int]]:
    """Prepares the picture that goes into the shard for one face.

    Args:
        picture: The whole picture.
        landmarks: Landmarks of the face [picture px].
        cut: If the picture's longer side exceeds this many face sizes, cut it to a square of that
            side around the face; 0 never cuts.

    Returns:
        The encoded picture, and x and y of its corner in the whole picture [px].
    """
    height, width = picture.pixels.shape[:2]
    low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
    side = cut * float((high - low).max())
    if not cut or max(height, width) <= side:
        data = encode(picture.pixels) if picture.file is None else picture.file.read_bytes()
        return data, (0, 0)
    x, y = ((low + high) / 2).tolist()
    left, right = _span(x, side, width)
    top, bottom = _span(y, side, height)
    return encode(picture.pixels[top:bottom, left:right]), (left, top)


def encode(pixels: UInt8[np.ndarray, "h w 3"]) -> bytes:
    """A JPEG file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=_QUALITY, subsampling=0)
    return file.getvalue()


def _span(centre: float, side: float, length: int) -> tuple[int, int]:
    """First and last column or row of the square, limited to the picture."""
    first = int(np.clip(np.floor(centre - side / 2), 0, length - 1))
    return first, int(np.clip(np.ceil(centre + side / 2), first + 1, length))
