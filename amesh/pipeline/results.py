"""Results of `amesh run` as JSON Lines: an object on each line for each picture or frame.

Convention
    {"source": "a.jpg", "frame": 0, "time": 0.0, "size": [w, h],
     "faces": [{"id": 0, "score": 0.99, "landmarks": [[x, y, z], ...]}]}
    Landmarks are continuous picture coordinates [px], rounded to 0.001 px; scores to 0.0001; times
    [s] to a microsecond. A picture that could not be read has "error" instead of "faces", and its
    size is null; where a video broke off, so has its last result. JSON has no NaN or infinity, and
    neither has a result. If the network predicts its errors, a face has "confidence", from 0 to 1
    for each landmark and rounded to 0.001; see `amesh.pipeline.confidence`. Programs that smooth a
    video's landmarks may add "raw" to a face: its landmarks before smoothing, in the same form.
"""

import json
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, NotRequired, Protocol, TypedDict, runtime_checkable

import msgspec
import numpy as np
from jaxtyping import Float, Float32
from msgspec import Meta

from amesh.errors import UserError
from amesh.json_lines import lines, parse

# What a file of results may be called: it is JSON lines, whatever its name says.
_SUFFIXES = ("", ".jsonl", ".ndjson", ".txt")

_Point = Annotated[list[float], Meta(min_length=2, max_length=3)]
_Size = Annotated[list[Annotated[int, Meta(gt=0)]], Meta(min_length=2, max_length=2)]


class FaceResult(TypedDict):
    """One face of a result."""

    id: int
    score: float
    landmarks: list[_Point]
    raw: NotRequired[list[_Point]]
    confidence: NotRequired[list[float]]


class PictureResult(TypedDict):
    """One line of the file: a picture or frame, with either faces or an error."""

    source: str
    frame: int
    time: float
    size: _Size | None
    faces: NotRequired[list[FaceResult]]
    error: NotRequired[str]


class FaceBrief(msgspec.Struct):
    """What resuming needs of a face."""

    id: int


class ResultBrief(msgspec.Struct):
    """What resuming needs of a result: its landmarks are skipped, which is much faster."""

    source: str
    faces: list[FaceBrief] | None = None
    error: str | None = None


@runtime_checkable
class FaceLike(Protocol):
    """What a result keeps of a face."""

    @property
    def id(self) -> int:
        """Its number in the picture, or of its track."""

    @property
    def score(self) -> float:
        """Probability that it is a face."""

    @property
    def landmarks(self) -> Float32[np.ndarray, "n d"]:
        """Picture coordinates [px]."""


def picture_result(
    source: str,
    frame: int = 0,
    time: float = 0.0,
    size: tuple[int, int] | None = None,
    faces: Sequence[FaceLike] | None = None,
    error: str | None = None,
) -> PictureResult:
    """The result of a picture or frame, from its faces or from the error that it gave.

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
    line = PictureResult(
        source=source,
        frame=frame,
        time=_rounded(time, 6),
        size=None if size is None else [int(size[0]), int(size[1])],
    )
    if faces is None:
        line["error"] = str(error)
        return line
    line["faces"] = [_face_result(face) for face in faces]
    return line


def _face_result(face: FaceLike) -> FaceResult:
    found = FaceResult(
        id=int(face.id),
        score=_rounded(face.score, 4),
        landmarks=_all_rounded(face.landmarks, 3),
    )
    confidence: Float[np.ndarray, " n"] | None = getattr(face, "confidence", None)
    if confidence is not None:
        found["confidence"] = _all_rounded(confidence, 3)
    return found


def to_line(line: PictureResult) -> str:
    """A result as one line of JSON, in ASCII: file names may contain bytes that are not text."""
    return json.dumps(line, allow_nan=False, separators=(",", ":"))


def is_name_of_lines(path: Path) -> bool:
    """Whether a file of results may have this name, which promises no other format."""
    return path.suffix.lower() in _SUFFIXES


def read_jsonl(path: str | os.PathLike[str]) -> Iterator[PictureResult]:
    """Reads results one by one, as a long video may not fit in memory; skips empty lines.

    Raises:
        UserError: The file cannot be read, or a line is not a result; names the line.
    """
    path = Path(path)
    for number, text in lines(path):
        where = f"{path}, line {number}"
        result = parse(text, PictureResult, where)
        if ("faces" in result) == ("error" in result):
            raise UserError(f"{where}: expected either faces or an error")
        yield result


def _rounded(value: float, digits: int) -> float:
    if not math.isfinite(value):
        raise ValueError(f"expected a finite number, found {value}")
    return round(float(value), digits) + 0.0  # no -0.0


def _all_rounded(values: Float[np.ndarray, "..."], digits: int) -> Any:
    """As `_rounded`, for an array, as nested lists: twenty times as fast as one by one."""
    numbers = values.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise ValueError(f"expected a finite number, found {numbers[~np.isfinite(numbers)][0]}")
    return (np.round(numbers, digits) + 0.0).tolist()
