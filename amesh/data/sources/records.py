"""A labelled face as a source hands it out, and what to do with those that are wrong."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from amesh.errors import UserError

OnBad = Literal["skip", "stop"]


@dataclass(frozen=True, eq=False)
class Record:
    """One face: its picture, still encoded, and its labels in the scheme they came in.

    Attributes:
        picture: A file, or its content.
        scheme: Of the points; None where there are none.
        points: (k, 2) or (k, 3) [picture px, corner coordinates]; z smaller is nearer.
        source: Name of the data set.
        key: Names the face within the source.
        where: File and place in it, for messages.
        licence: Terms of the picture; None where nobody said.
        face: False where the region `box` holds no face.
        box: Left, top, right, bottom [picture px] of a region without points.
        weight_xy: What x and y of each point count, (k,); 1 where None.
        weight_z: The same for z.
        visibility: 1 for a point that can be seen, 0 for a hidden one, (k,).
        group: Of the person, as the source states it.
        person: Who it is, where known.
        split: Of the source, such as train or test, where it says so.
    """

    picture: Path | bytes
    scheme: str | None
    points: Float[np.ndarray, "k d"]
    source: str
    key: str
    where: str
    licence: str | None = None
    face: bool = True
    box: tuple[float, float, float, float] | None = None
    weight_xy: Float[np.ndarray, " k"] | None = None
    weight_z: Float[np.ndarray, " k"] | None = None
    visibility: Float[np.ndarray, " k"] | None = None
    group: str = ""
    person: str | None = None
    split: str | None = None

    def read_picture(self) -> bytes:
        """The encoded picture.

        Raises:
            UserError: The file is missing or cannot be read.
        """
        if isinstance(self.picture, bytes):
            return self.picture
        try:
            return self.picture.read_bytes()
        except FileNotFoundError:
            raise UserError(f"{self.where}: picture {self.picture} is missing") from None
        except OSError as error:
            raise UserError(
                f"{self.where}: picture {self.picture} cannot be read ({error.strerror})"
            ) from error


class Entry(NamedTuple):
    """What is known of a face without reading it.

    Attributes:
        key: Names the face within its source.
        person: Who it is, where known.
        licence: Terms of the picture, where known.
    """

    key: str
    person: str | None
    licence: str | None


@runtime_checkable
class Source(Protocol):
    """Labelled faces, by number."""

    @property
    def name(self) -> str:
        """Where they come from, for messages."""
        ...

    @property
    def schemes(self) -> frozenset[str]:
        """The schemes its points are in."""
        ...

    @property
    def entries(self) -> Sequence[Entry]:
        """What is known of its faces, in their order."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Record:
        """One face; may raise UserError where only reading shows that it is damaged."""
        ...


@dataclass
class ListSource:
    """Records in memory; pictures stay on disk.

    Attributes:
        name: For messages.
        records: The faces.
    """

    name: str
    records: list[Record]

    @property
    def schemes(self) -> frozenset[str]:
        """The schemes the points are in."""
        return frozenset(r.scheme for r in self.records if r.scheme is not None)

    @property
    def entries(self) -> list[Entry]:
        """What is known of its faces, in their order."""
        return [Entry(r.key, r.person, r.licence) for r in self.records]

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Record:
        return self.records[index]


@dataclass
class Problems:
    """What was wrong with a set: counted, named and skipped, or the end of the run.

    Attributes:
        on_bad: "skip" collects, "stop" raises the first one.
        messages: A line for each bad record.
    """

    on_bad: OnBad = "stop"
    messages: list[str] = field(default_factory=list)

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Around the reading of one record."""
        try:
            yield
        except UserError as error:
            if self.on_bad == "stop":
                raise
            self.messages.append(str(error))


def named(lines: Sequence[str], most: int = 5) -> str:
    """What was skipped, for people: how many records, and the first of them one by one."""
    more = [f"and {len(lines) - most} more"] if len(lines) > most else []
    head = f"{len(lines)} records could not be used and were skipped:"
    return "\n  ".join([head, *lines[:most], *more])


def finish(name: str, records: list[Record], problems: Problems) -> ListSource:
    """The source of these records.

    Raises:
        UserError: There are none.
    """
    if not records:
        first = f"; the first problem: {problems.messages[0]}" if problems.messages else ""
        raise UserError(f"{name}: no labelled face in it{first}")
    return ListSource(name, records)


def check_points(
    values: object, where: str, count: int | None = None, dimensions: tuple[int, ...] = (2, 3)
) -> Float[np.ndarray, "k d"]:
    """Points as an array.

    Args:
        values: Rows of numbers.
        where: For messages.
        count: How many there have to be.
        dimensions: How long a row may be.

    Raises:
        UserError: No such rows, another number of them, or one that is not finite.
    """
    try:
        points = np.array(values, dtype=np.float32)
    except (TypeError, ValueError):
        points = np.zeros(0, np.float32)
    if points.ndim != 2 or points.shape[1] not in dimensions:
        kinds = " or ".join("[x, y]" if d == 2 else "[x, y, z]" for d in dimensions)
        raise UserError(f"{where}: expected points as rows {kinds}")
    if count is not None and len(points) != count:
        raise UserError(f"{where}: {len(points)} points, expected {count}")
    bad = np.flatnonzero(~np.isfinite(points).all(1))
    if len(bad):
        raise UserError(f"{where}: point {bad[0]} is {points[bad[0]].tolist()}, not finite")
    return points
