"""The files that `amesh label` writes beside the shards: skipped inputs, and figures of each face.

The shards themselves are described in `amesh.data.sources.shard_files`.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from amesh.errors import UserError
from amesh.json_lines import lines, parse

# Names the networks and settings that produced the labels.
LABELLED_BY = "labels.json"

_T = TypeVar("_T")


class Skipped(msgspec.Struct, kw_only=True):
    """An input without a labelled face: a line of `skipped-....jsonl`.

    Attributes:
        key: The picture or frame; for a clip that cannot be read, its name.
        reason: The reason, such as "no face".
        detail: Details of the reason.
        time: Time of the entry [s since 1970].
    """

    key: str
    reason: str
    detail: str = ""
    time: float = 0.0


class FaceFigures(msgspec.Struct, kw_only=True):
    """The confidence of a label, and metadata of its picture: a line of `faces-....jsonl`.

    Attributes:
        key: Key of the face, as in the shard.
        score: Probability that it is a face.
        disagreement: Mean spread of the teacher's predictions [face sizes].
        size: Longer side of the face's box [px].
        source: Data set of the picture.
        licence: Licence of the picture.
        generated: Whether the picture is known not to be a photograph.
    """

    key: str
    score: float
    disagreement: float
    size: float
    source: str
    licence: str | None
    generated: bool


def skipped(folder: Path) -> dict[str, Skipped]:
    """Reads the inputs that were skipped on any rank: the latest line for each key."""
    found = [one for path in folder.glob("skipped-*.jsonl") for one in read_whole(path, Skipped)]
    return {one.key: one for one in sorted(found, key=lambda one: one.time)}


def read_whole(path: Path, kind: type[_T]) -> Iterator[_T]:
    """Yields the values of a file of lines, except lines truncated when a process was killed."""
    for _, text in lines(path):
        with contextlib.suppress(UserError):
            yield parse(text, kind, "")
