"""Results as JSON Lines: one object a line for each picture or frame.

Convention
    {"source": "a.jpg", "frame": 0, "time": 0.0, "size": [w, h],
     "faces": [{"id": 0, "score": 0.99, "landmarks": [[x, y, z], ...]}]}
    Landmarks are continuous picture coordinates [px], rounded to 0.001 px; scores to 0.0001; times
    [s] to a microsecond. A picture that could not be read has "error" instead of "faces", and its
    size is null. JSON has no NaN or infinity, and neither has a record.
"""

import json
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NotRequired, Protocol, TypedDict, cast, runtime_checkable

import numpy as np
from jaxtyping import Float32

from amesh.errors import UserError
from amesh.files import as_user_error, replacing

_KEYS = "source, frame, time and size"


class FaceRecord(TypedDict):
    """One face of a record."""

    id: int
    score: float
    landmarks: list[list[float]]


class Record(TypedDict):
    """One line of the file; it has either faces or an error."""

    source: str
    frame: int
    time: float
    size: list[int] | None
    faces: NotRequired[list[FaceRecord]]
    error: NotRequired[str]


@runtime_checkable
class FaceLike(Protocol):
    """What a record keeps of a face."""

    @property
    def id(self) -> int:
        """Its number in the picture, or of its track."""

    @property
    def score(self) -> float:
        """Probability that it is a face."""

    @property
    def landmarks(self) -> Float32[np.ndarray, "n d"]:
        """Picture coordinates [px]."""


def record(
    source: str,
    frame: int = 0,
    time: float = 0.0,
    size: tuple[int, int] | None = None,
    faces: Sequence[FaceLike] | None = None,
    error: str | None = None,
) -> Record:
    """Builds the record of a picture or frame from its faces, or from the error that it gave.

    Args:
        source: file as the user named it, or relative to the folder that the user named.
        frame: number of the frame, from 0.
        time: of the frame, from the start [s].
        size: width and height of the picture [px]; None only with an error.
        faces: may be empty.
        error: one line.

    Raises:
        ValueError: not exactly one of faces and error is given, or a number is not finite.
    """
    if (faces is None) == (error is None) or (size is None and error is None):
        raise ValueError(f"{source}: expected size and faces, or an error")
    line = Record(
        source=source,
        frame=frame,
        time=_rounded(time, 6),
        size=None if size is None else [int(size[0]), int(size[1])],
    )
    if faces is None:
        line["error"] = str(error)
        return line
    line["faces"] = [
        FaceRecord(
            id=int(face.id),
            score=_rounded(face.score, 4),
            landmarks=[
                [_rounded(value, 3) for value in point] for point in face.landmarks.tolist()
            ],
        )
        for face in faces
    ]
    return line


def write_jsonl(path: str | os.PathLike[str], records: Iterable[Record]) -> int:
    """Writes records as they come; the file appears under its name when all are on the disk.

    Whatever goes wrong meanwhile, the error of an iterator included, an earlier file of that name
    stays as it was and no partial file is left. The place is tried before the first record is asked
    for. A pipe or a device, such as /dev/stdout, is written to directly.

    Returns:
        The number of records.

    Raises:
        UserError: the folder cannot be written to, or the disk is full.
    """
    path = Path(path)
    count = 0
    with replacing(path) as file:
        for line in records:
            with as_user_error(path):
                file.write(to_line(line).encode() + b"\n")
            count += 1
    return count


def to_line(line: Record) -> str:
    """A record as one line of JSON, in ASCII: names of files may hold bytes that are no text."""
    return json.dumps(line, allow_nan=False, separators=(",", ":"))


def read_jsonl(path: str | os.PathLike[str]) -> Iterator[Record]:
    """Reads records one by one, as a long video may not fit in memory; empty lines are skipped.

    Raises:
        UserError: the file cannot be read, or a line is no record; the line's number is named.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            for number, text in enumerate(file, 1):
                if text.strip():
                    yield _parse(text, f"{path}, line {number}")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error


def _rounded(value: float, digits: int) -> float:
    if not math.isfinite(value):
        raise ValueError(f"expected a finite number, found {value}")
    return round(float(value), digits) + 0.0  # no -0.0


def _parse(text: bytes, place: str) -> Record:
    try:
        line = json.loads(text.decode("utf-8-sig"), parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise UserError(f"{place}: not JSON ({error.msg} at column {error.colno})") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{place}: not JSON ({error})") from error
    if not isinstance(line, dict) or not {"source", "frame", "time", "size"} <= line.keys():
        raise UserError(f"{place}: not a record: expected an object with {_KEYS}")
    kinds = (_is_text(line["source"]), _is_whole(line["frame"]), _is_number(line["time"]))
    if not all(kinds) or not _is_size(line["size"]):
        raise UserError(f"{place}: {_KEYS} are not a text, two numbers and [width, height]")
    if ("faces" in line) == ("error" in line) or not _is_text(line.get("error", "")):
        raise UserError(f"{place}: expected either faces or an error text")
    faces = line.get("faces", [])
    if not isinstance(faces, list) or not all(map(_is_face, faces)):
        raise UserError(f"{place}: a face is not {{id, score, landmarks [[x, y, z], ...]}}")
    return cast(Record, line)


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a number in JSON")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return _is_whole(value) or (isinstance(value, float) and math.isfinite(value))


def _is_size(value: Any) -> bool:
    return value is None or (
        isinstance(value, list) and len(value) == 2 and all(_is_whole(v) and v > 0 for v in value)
    )


def _is_face(value: Any) -> bool:
    if not isinstance(value, dict) or not {"id", "score", "landmarks"} <= value.keys():
        return False
    points = value["landmarks"]
    return (
        _is_whole(value["id"])
        and _is_number(value["score"])
        and isinstance(points, list)
        and all(
            isinstance(p, list) and len(p) in (2, 3) and all(map(_is_number, p)) for p in points
        )
    )
