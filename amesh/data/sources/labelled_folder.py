"""A folder written by `amesh label`: what labelled it, and the inputs that gave no face.

The faces themselves are shards; see `amesh.data.sources.shard_files`.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from amesh.errors import UserError
from amesh.json_lines import lines, parse

# Which networks labelled it, and by which rules.
LABELLED_BY = "labels.json"

_T = TypeVar("_T")


class Skipped(msgspec.Struct, kw_only=True):
    """An input that gave no face: a line of `skipped-....jsonl`.

    Attributes:
        key: The picture or frame; for a clip that cannot be read, its name.
        reason: Such as "no face".
        detail: More about it.
        time: When that was found [s since 1970].
    """

    key: str
    reason: str
    detail: str = ""
    time: float = 0.0


class FaceFigures(msgspec.Struct, kw_only=True):
    """How sure a label is, and what is known of its picture: a line of `faces-....jsonl`.

    Attributes:
        key: The face, as in the shard.
        score: Probability that it is a face.
        disagreement: Mean spread of the teacher's answers [face sizes].
        size: Longer side of the face's box [px].
        source: Data set of the picture.
        licence: Its terms.
        generated: Whether it is known not to be a photograph.
    """

    key: str
    score: float
    disagreement: float
    size: float
    source: str
    licence: str | None
    generated: bool


def skipped(folder: Path) -> dict[str, Skipped]:
    """Pictures, frames and clips that gave no face on any rank: the latest line for each key."""
    found = [one for path in folder.glob("skipped-*.jsonl") for one in read_whole(path, Skipped)]
    return {one.key: one for one in sorted(found, key=lambda one: one.time)}


def read_whole(path: Path, kind: type[_T]) -> Iterator[_T]:
    """The values in a file of lines, without those that were cut off when a process was killed."""
    for _, text in lines(path):
        with contextlib.suppress(UserError):
            yield parse(text, kind, "")
